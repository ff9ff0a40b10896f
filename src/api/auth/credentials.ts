// What a caller presents of itself, whichever face it came to.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

export interface Caller {
  /** The `Authorization` header, or what stands for it on another face. */
  readonly authorization: string | undefined;
  /** IP address, without port; empty when it is gone. */
  readonly address: string;
  /** Common name in the client certificate that TLS has verified. */
  readonly certificateName: string | undefined;
}

export type Credentials =
  | { readonly scheme: 'bearer'; readonly token: string }
  | { readonly scheme: 'basic'; readonly name: string; readonly password: string };

/** Reads `Bearer TOKEN` (RFC 6750) or `Basic BASE64` (RFC 7617). `unauthenticated` for anything else. */
export function parseAuthorization(text: string): Credentials {
  const found = /^(bearer|basic) +(\S+)\s*$/i.exec(text.slice(0, limits.credentialCharactersMax + 1));
  if (found === null || text.length > limits.credentialCharactersMax) {
    throw new CairnError('unauthenticated', 'expected an Authorization of Bearer or of Basic');
  }
  const value = found[2]!;
  if (found[1]!.toLowerCase() === 'bearer') return { scheme: 'bearer', token: value };
  const pair = Buffer.from(value, 'base64').toString();
  const colon = pair.indexOf(':');
  if (colon < 0) throw new CairnError('unauthenticated', 'Basic credentials are a name, a colon and a password');
  return { scheme: 'basic', name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
