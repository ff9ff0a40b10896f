// What is handed out to callers: JSON Web Tokens (RFC 7519), signed with HMAC-SHA256 by the key of this store. They say
// whose they are, what kind they are and which record they live by; whether that record still stands is asked at each use.

import { errors, jwtVerify, SignJWT } from 'jose';
import { type Clock, dateAt } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { SigningKeys } from './signing-keys.js';

/** `access` and `refresh` belong to a login, `token` stands for itself. */
export type TokenKind = 'access' | 'refresh' | 'token';

export interface TokenClaims {
  readonly kind: TokenKind;
  /** The account's name. */
  readonly name: string;
  /** Of the login's or the token's record. */
  readonly id: string;
  /** Which of a login's refresh tokens it is, counted from 0; 0 for other kinds. */
  readonly turn: number;
  /** When it ends, in seconds of Unix time; undefined when it does not. */
  readonly expiresAt: number | undefined;
}

const issuer = 'cairn';
const algorithm = 'HS256';

export class SignedTokens {
  #keys: SigningKeys;
  readonly #clock: Pick<Clock, 'now'>;

  constructor({ keys, clock }: { readonly keys: SigningKeys; readonly clock: Pick<Clock, 'now'> }) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** From now on. */
  use(keys: SigningKeys): void {
    this.#keys = keys;
  }

  sign({ kind, name, id, turn, expiresAt }: TokenClaims): Promise<string> {
    const jwt = new SignJWT({ kind, sid: id, ...(kind === 'refresh' && { turn }) })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(name)
      .setIssuedAt(Math.floor(this.#clock.now() / 1000));
    return (expiresAt === undefined ? jwt : jwt.setExpirationTime(expiresAt)).sign(this.#keys.current);
  }

  /** `unauthenticated` for what this store did not sign, signed as something else, or has expired, with its key or by itself. */
  async verify(text: string, kinds: readonly TokenKind[]): Promise<TokenClaims> {
    if (text.length > limits.credentialCharactersMax) throw notGood();
    const { current, earlier } = this.#keys;
    const claims = await this.#verifyBy(current, text, kinds);
    if (claims !== undefined) return claims;
    for (const { key, until } of earlier) {
      if (until <= this.#clock.now()) continue;
      const claims = await this.#verifyBy(key, text, kinds);
      if (claims === undefined) continue;
      return { ...claims, expiresAt: Math.min(claims.expiresAt ?? Number.POSITIVE_INFINITY, until / 1000) };
    }
    throw notGood();
  }

  /** Undefined for what this key did not sign. */
  async #verifyBy(key: Uint8Array, text: string, kinds: readonly TokenKind[]): Promise<TokenClaims | undefined> {
    try {
      const options = { issuer, algorithms: [algorithm], currentDate: dateAt(this.#clock.now()) };
      const { sub, kind, sid, turn = 0, exp } = (await jwtVerify(text, key, options)).payload;
      const known = kinds.find((each) => each === kind);
      if (known === undefined || typeof sub !== 'string' || typeof sid !== 'string') throw notGood();
      if (typeof turn !== 'number') throw notGood();
      return { kind: known, name: sub, id: sid, turn, expiresAt: exp };
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
      if (error instanceof errors.JWTExpired) throw new CairnError('unauthenticated', 'the token has expired');
      if (error instanceof errors.JOSEError) throw notGood();
      throw error;
    }
  }
}

function notGood(): CairnError {
  return new CairnError('unauthenticated', 'the token is not good');
}
