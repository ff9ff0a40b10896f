// Lets RPCs in, before anything of their bodies is read: Transport calls by the token they present, and every call by the
// gate. `x-cairn-transport-token` goes before `authorization`, which may hold an account's credentials: a bearer that has
// not the form of a token is not taken for one. Who was given a token by an account, and presents nothing else, moves
// blobs as that account.

import { CairnError } from '../../base/errors.js';
import { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import type { Caller } from '../auth/credentials.js';
import { needOfMethod } from '../auth/method-needs.js';
import type { Principal } from '../auth/principal.js';
import type { RpcParts } from './rpc-parts.js';
import { looksLikeToken } from './transport-tokens.js';

type Parts = Pick<RpcParts, 'gate' | 'tokens' | 'transportTokens' | 'tokenHolders'>;
type Header = Pick<Headers, 'get'>;

const tokenHeader = 'x-cairn-transport-token';

/** What the gate answers, and as it; `unauthenticated` and `overloaded` also as tokens are. `method` as `package.Service/Method`. */
export function admitCall(
  parts: Parts,
  method: string,
  header: Header,
  caller: Caller,
  session: object | undefined,
): Principal | Promise<Principal> {
  const need = needOfMethod(method);
  if (!method.startsWith(`${Transport.typeName}/`)) return parts.gate.admit(caller, need);
  const token = redeemToken(parts, header, session);
  const presentsAccount = caller.authorization !== undefined && bearerToken(header) === undefined;
  if (presentsAccount) return parts.gate.admit(caller, need);
  const holder = token === undefined ? undefined : parts.tokenHolders.holder(token, session);
  return parts.gate.admit(holder ?? { ...caller, authorization: undefined }, need);
}

/**
 * The token, when it is good. `unauthenticated` when tokens are required and this one is absent, foreign, expired or spent.
 * The session is the HTTP/2 session the call came on, and becomes the token's owner.
 */
function redeemToken({ tokens, transportTokens }: Parts, header: Header, session: object | undefined) {
  const required = transportTokens === 'required';
  const token = presentedToken(header);
  if (token === undefined) {
    if (required) throw new CairnError('unauthenticated', 'this server wants the token of GetTransportDetails');
    return undefined;
  }
  const redemption = tokens.redeem(token, session);
  if (redemption === 'redeemed' || redemption === 'owned') return token;
  if (redemption === 'overloaded' && required)
    throw new CairnError('overloaded', 'too many transport tokens are in use');
  if (required) throw new CairnError('unauthenticated', `the transport token is ${redemption}`);
  tokens.countIgnored();
  return undefined;
}

function presentedToken(header: Header): string | undefined {
  return header.get(tokenHeader) ?? bearerToken(header);
}

function bearerToken(header: Header): string | undefined {
  const bearer = /^bearer +(.*)$/i.exec(header.get('authorization') ?? '')?.[1];
  return bearer !== undefined && looksLikeToken(bearer) ? bearer : undefined;
}
