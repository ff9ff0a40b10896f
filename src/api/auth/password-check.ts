// Whether a password is an account's. Unknown names take as long and get the same answer as wrong passwords, and both
// count against their name and their address.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Account, AccountBook } from './account-book.js';
import type { FailedLogins } from './failed-logins.js';
import type { PasswordHasher } from './password-hasher.js';

export interface PasswordCheckParts {
  readonly book: Pick<AccountBook, 'get'>;
  readonly hasher: PasswordHasher;
  readonly failures: FailedLogins;
}

export type CheckPassword = (name: string, password: string, address: string) => Promise<Account>;

/** Answers the account; `unauthenticated` when it is not its password, `overloaded` after too many failures. */
export function passwordCheck({ book, hasher, failures }: PasswordCheckParts): CheckPassword {
  return async (name, password, address) => {
    const attempt = failures.attempt(name, address);
    const sane = password.length <= limits.passwordCharactersMax;
    let account: Account | undefined;
    let good: boolean;
    try {
      account = await book.get(name);
      good = await hasher.verify(sane ? password : '', account?.passwordHash);
    } catch (error) {
      attempt.undecided();
      throw error;
    }
    if (!good || !sane || account === undefined) throw new CairnError('unauthenticated', 'wrong name or password');
    attempt.succeeded();
    return account;
  };
}

/** `invalid_argument` for what is too short, or too long to be hashed again and again. */
export function refuseWeak(password: string): void {
  if (password.length >= limits.passwordCharactersMin && password.length <= limits.passwordCharactersMax) return;
  const bounds = `${limits.passwordCharactersMin} to ${limits.passwordCharactersMax}`;
  throw new CairnError('invalid_argument', `a password has ${bounds} characters`);
}
