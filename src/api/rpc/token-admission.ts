// Lets Transport calls in by the token they present. `x-cairn-transport-token` goes before `authorization`, which may
// hold an account's credentials: a bearer that has not the form of a token is not taken for one.

import { CairnError } from '../../base/errors.js';
import type { RpcParts } from './rpc-parts.js';
import { looksLikeToken } from './transport-tokens.js';

const tokenHeader = 'x-cairn-transport-token';

/**
 * `unauthenticated` when tokens are required and this one is absent, foreign, expired or spent. The session is the HTTP/2
 * session the call came on, and becomes the token's owner.
 */
export function admitByToken(
  { tokens, transportTokens }: Pick<RpcParts, 'tokens' | 'transportTokens'>,
  header: Pick<Headers, 'get'>,
  session: object | undefined,
): void {
  const required = transportTokens === 'required';
  const token = presentedToken(header);
  if (token === undefined) {
    if (required) throw new CairnError('unauthenticated', 'this server wants the token of GetTransportDetails');
    return;
  }
  const redemption = tokens.redeem(token, session);
  if (redemption === 'redeemed' || redemption === 'owned') return;
  if (!required) tokens.countIgnored();
  else if (redemption === 'overloaded') throw new CairnError('overloaded', 'too many transport tokens are in use');
  else throw new CairnError('unauthenticated', `the transport token is ${redemption}`);
}

function presentedToken(header: Pick<Headers, 'get'>): string | undefined {
  const own = header.get(tokenHeader);
  if (own !== null) return own;
  const bearer = /^bearer +(.*)$/i.exec(header.get('authorization') ?? '')?.[1];
  return bearer !== undefined && looksLikeToken(bearer) ? bearer : undefined;
}
