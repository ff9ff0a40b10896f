// How a client makes itself known to a server, and how it knows the server.

import { CairnError } from '../base/errors.js';

export interface ConnectOptions {
  /** An access token of a login, or one that was made to last. */
  readonly token?: string | undefined;
  /** An account's name and password, instead of a token. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Authorities to believe about an https server, in PEM, instead of the usual ones. */
  readonly ca?: string | Uint8Array | undefined;
  /** The client's own certificate and its key, in PEM, for servers that ask for one. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
}

/** What every call carries along. `invalid_argument` for a name without a password, or with a colon. */
export function authorizationOf({ token, user, password }: ConnectOptions): string | undefined {
  if (token !== undefined) return `Bearer ${token}`;
  if (user === undefined) return undefined;
  if (password === undefined) throw new CairnError('invalid_argument', `there is no password for ${user}`);
  if (user.includes(':')) throw new CairnError('invalid_argument', 'an account name has no colon');
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The part that Node's TLS understands. */
export function tlsOptions({ ca, cert, key }: ConnectOptions) {
  return {
    ...(ca !== undefined && { ca: asText(ca) }),
    ...(cert !== undefined && { cert: asText(cert) }),
    ...(key !== undefined && { key: asText(key) }),
  };
}

function asText(pem: string | Uint8Array): string {
  return typeof pem === 'string' ? pem : Buffer.from(pem).toString();
}
