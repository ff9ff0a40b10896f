// Tells who a caller is. What was found good is remembered for a while under a keyed hash of what was presented, since a
// password costs a good part of a second and a record a read; it is forgotten at once when anything changes about the
// account. While changes cannot be followed, nothing is remembered.

import { createHmac } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';
import type { Account, AccountBook } from './account-book.js';
import { type Caller, parseAuthorization } from './credentials.js';
import type { LoginBook } from './login-book.js';
import type { CheckPassword } from './password-check.js';
import { type Operation, operationsOf, type Principal, type Session } from './principal.js';
import type { SignedTokens } from './signed-tokens.js';

export interface AuthenticatorParts {
  readonly book: AccountBook;
  readonly logins: LoginBook;
  readonly signed: SignedTokens;
  readonly checkPassword: CheckPassword;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
}

/** A principal, and until when it is one, in milliseconds of Unix time. */
interface Known {
  readonly principal: Principal;
  readonly until: number;
}

export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #secret: Uint8Array;
  /** By the hash of what was presented; the longest known first. */
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<Principal>>();
  #isFollowing = false;
  /** Changes so far: what was read before one of them is not remembered after it. */
  #changes = 0;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.#secret = parts.random.bytes(32);
  }

  /** Answers at once where it can. `unauthenticated` for credentials that are missing or not good. */
  authenticate(caller: Caller): Principal | Promise<Principal> {
    const presented = presentedBy(caller);
    if (presented === undefined) throw new CairnError('unauthenticated', 'this server asks for credentials');
    const key = createHmac('sha256', this.#secret).update(presented).digest('base64');
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.#parts.clock.now()) return known.principal;
    const underWay = this.#underWay.get(key) ?? this.#find(key, caller);
    this.#underWay.set(key, underWay);
    return underWay;
  }

  /** Something may have been taken away from this account. */
  forget(name: string): void {
    this.#changes++;
    for (const [key, { principal }] of this.#known) if (principal.name === name) this.#known.delete(key);
    // Who asks from now on must not be told what was read before.
    this.#underWay.clear();
  }

  /** Whether `forget` is called for every change, whoever makes it. */
  setFollowing(isFollowing: boolean): void {
    this.#isFollowing = isFollowing;
    this.forgetAll();
  }

  /** Something may have been taken away from everybody. */
  forgetAll(): void {
    this.#changes++;
    this.#known.clear();
    this.#underWay.clear();
  }

  async #find(key: string, caller: Caller): Promise<Principal> {
    const changesBefore = this.#changes;
    try {
      const known = await this.#lookUp(caller);
      if (this.#isFollowing && this.#changes === changesBefore) this.#remember(key, known);
      return known.principal;
    } finally {
      if (this.#changes === changesBefore) this.#underWay.delete(key);
    }
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key);
    if (this.#known.size >= limits.credentialsRememberedCountMax) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
    this.#known.set(key, known);
  }

  async #lookUp({ authorization, address, certificateName }: Caller): Promise<Known> {
    const soon = this.#parts.clock.now() + limits.credentialsRememberedMilliseconds;
    if (authorization === undefined) {
      const account = await this.#parts.book.get(certificateName ?? '');
      if (account === undefined) {
        throw new CairnError('unauthenticated', 'the client certificate names no account of this server');
      }
      return { principal: principalOf(account, undefined), until: soon };
    }
    const credentials = parseAuthorization(authorization);
    if (credentials.scheme === 'bearer') return this.#lookUpToken(credentials.token, soon);
    const account = await this.#parts.checkPassword(credentials.name, credentials.password, address);
    return { principal: principalOf(account, undefined), until: soon };
  }

  async #lookUpToken(text: string, soon: number): Promise<Known> {
    const { book, logins, signed, clock } = this.#parts;
    const { kind, name, id, expiresAt } = await signed.verify(text, ['access', 'token']);
    const isLogin = kind === 'access';
    const [account, login, token] = await Promise.all([
      book.get(name),
      isLogin ? logins.get(name, id) : undefined,
      isLogin ? undefined : book.token(name, id),
    ]);
    const record = login ?? token;
    const ends = Math.min(
      record?.expiresAt ?? Number.POSITIVE_INFINITY,
      (expiresAt ?? Number.POSITIVE_INFINITY) * 1000,
    );
    if (account === undefined || record === undefined || ends <= clock.now()) {
      throw new CairnError('unauthenticated', 'the token was revoked or has expired');
    }
    const session = { kind: isLogin ? ('login' as const) : ('token' as const), id };
    return { principal: principalOf(account, session, token?.operations), until: Math.min(soon, ends) };
  }
}

/** What is hashed: each kind of credentials in a space of its own. */
function presentedBy({ authorization, certificateName }: Caller): string | undefined {
  if (authorization !== undefined) return `a${authorization}`;
  return certificateName === undefined ? undefined : `c${certificateName}`;
}

function principalOf({ name, roles }: Account, session: Session | undefined, scope?: readonly Operation[]): Principal {
  const granted = operationsOf(roles).filter((operation) => scope === undefined || scope.includes(operation));
  return { name, roles, operations: new Set(granted), session };
}
