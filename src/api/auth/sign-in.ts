// Login, registration, refreshing and logout: what hands out tokens and takes them back.

import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Account } from './account-book.js';
import type { Accounts } from './accounts.js';
import { refuseWeak } from './password-check.js';
import type { Principal, Role } from './principal.js';

/** What a login hands out. */
export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds that the access token lasts. */
  readonly expiresIn: number;
}

export interface SignInParts {
  readonly accounts: Accounts;
  readonly clock: Pick<Clock, 'now'>;
  /** The role of those who register themselves; undefined: nobody may. */
  readonly registrationRole: Role | undefined;
}

export interface Registration {
  readonly name: string;
  readonly password: string;
  readonly email: string;
  /** Of the caller: registrations count like failed logins, so that nobody makes thousands. */
  readonly address: string;
}

export class SignIn {
  readonly #parts: SignInParts;

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** `unauthenticated` or `overloaded`, as `CheckPassword` says. */
  async login(name: string, password: string, address: string): Promise<IssuedTokens & { readonly account: Account }> {
    const account = await this.#parts.accounts.checkPassword(name, password, address);
    return { account, ...(await this.#begin(account)) };
  }

  /** `failed_precondition` where it is not allowed, or nobody is an admin yet; otherwise as making an account does. */
  async register({ name, password, email, address }: Registration): Promise<IssuedTokens & { account: Account }> {
    const { accounts, registrationRole } = this.#parts;
    if (registrationRole === undefined || !accounts.exist()) {
      throw new CairnError('failed_precondition', 'this server makes no accounts for strangers');
    }
    refuseWeak(password);
    accounts.failures.attempt(name, address);
    const passwordHash = await accounts.hasher.hash(password);
    const account = await accounts.book.add({ name, roles: [registrationRole], passwordHash, email });
    return { account, ...(await this.#begin(account)) };
  }

  /** `unauthenticated` for a refresh token that is not good; one that was used before ends its login. */
  async refresh(refreshToken: string): Promise<IssuedTokens> {
    const { signed, logins } = this.#parts.accounts;
    const { name, id, turn } = await signed.verify(refreshToken, ['refresh']);
    return this.#issue(name, id, (await logins.advance(name, id, turn)).turn);
  }

  /** Ends the login of a refresh token, even of one that was used or has expired with it. */
  async logout(refreshToken: string): Promise<void> {
    const { signed, logins } = this.#parts.accounts;
    const { name, id } = await signed.verify(refreshToken, ['refresh']);
    await logins.end(name, id);
  }

  /** Ends the login that a principal was let in by. `failed_precondition` when it was none. */
  async logoutOf({ name, session }: Principal): Promise<void> {
    if (session?.kind !== 'login') throw new CairnError('failed_precondition', 'these credentials are no login');
    await this.#parts.accounts.logins.end(name, session.id);
  }

  async #begin(account: Account): Promise<IssuedTokens> {
    const { id, turn } = await this.#parts.accounts.logins.begin(account);
    return this.#issue(account.name, id, turn);
  }

  async #issue(name: string, id: string, turn: number): Promise<IssuedTokens> {
    const { signed } = this.#parts.accounts;
    const now = Math.floor(this.#parts.clock.now() / 1000);
    const [accessToken, refreshToken] = await Promise.all([
      signed.sign({ kind: 'access', name, id, turn, expiresAt: now + limits.accessTokenSeconds }),
      signed.sign({ kind: 'refresh', name, id, turn, expiresAt: now + limits.refreshTokenSeconds }),
    ]);
    return { accessToken, refreshToken, expiresIn: limits.accessTokenSeconds };
  }
}
