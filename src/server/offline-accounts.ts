// The accounts of a data directory that no server has open: how the first admin is made, and the last one helped back in.
// Whoever may write the directory may do anything here.

import type { Account } from '../api/auth/account-book.js';
import { type Accounts, openAccounts } from '../api/auth/accounts.js';
import { mintToken } from '../api/auth/mint-token.js';
import { refuseWeak } from '../api/auth/password-check.js';
import { passwordCost } from '../api/auth/password-hasher.js';
import { everybody } from '../api/auth/principal.js';
import { systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { systemRandom } from '../base/random.js';
import type { AccountAdmin, AccountInfo, NewAccount, NewToken, RoleName, TokenInfo } from '../client/account-client.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { serverConfig } from './config.js';
import { createLogger } from './logger.js';
import { openMetadata } from './open-metadata.js';

/**
 * Does some work on the accounts of a directory. `unavailable` while a server has it open, `not_found` when there is none and
 * it is not to be made.
 */
export async function withOfflineAccounts<T>(
  { data, make }: { readonly data: string; readonly make: boolean },
  work: (admin: AccountAdmin) => Promise<T>,
): Promise<T> {
  if (!make && !(await nodeFileSystem.list(data)).includes('meta')) {
    throw new CairnError('not_found', `${data} is no data directory with accounts`);
  }
  const config = serverConfig({ data });
  const logger = createLogger(config.logLevel);
  const metadata = await openMetadata({ config, logger, clock: systemClock });
  try {
    const parts = { kv: metadata.kv, clock: systemClock, random: systemRandom, logger, passwordCost };
    const accounts = await openAccounts(parts);
    try {
      return await work(new OfflineAccounts(accounts));
    } finally {
      await accounts.close();
    }
  } finally {
    await metadata.close();
  }
}

class OfflineAccounts implements AccountAdmin {
  constructor(private readonly parts: Accounts) {}

  async addAccount({ name, roles, password, email = '' }: NewAccount): Promise<AccountInfo> {
    const passwordHash = password === undefined ? undefined : await this.#hash(password);
    return this.parts.book.add({ name, roles, passwordHash, email });
  }

  async *accounts(): AsyncGenerator<AccountInfo> {
    for (let after: string | undefined; ; ) {
      const page: Account[] = await this.parts.book.list({ after, limit: limits.kvPageCountMax });
      yield* page;
      if (page.length < limits.kvPageCountMax) return;
      after = page.at(-1)!.name;
    }
  }

  setRoles(name: string, roles: readonly RoleName[]): Promise<AccountInfo> {
    return this.parts.book.setRoles(name, roles);
  }

  removeAccount(name: string): Promise<void> {
    return this.parts.book.remove(name, { evenTheLast: true });
  }

  async setPassword(name: string | undefined, password: string): Promise<void> {
    await this.parts.book.setPassword(required(name), await this.#hash(password));
  }

  async createToken({ account, label = '', operations = [], seconds = 0 }: NewToken) {
    const wish = { name: required(account), label, operations, seconds };
    const { text, token } = await mintToken(this.parts, systemClock, everybody, wish);
    return { ...token, expiresAt: token.expiresAt, token: text };
  }

  async *tokens(account: string | undefined): AsyncGenerator<TokenInfo> {
    for (const token of await this.parts.book.tokens(required(account))) {
      yield { ...token, expiresAt: token.expiresAt };
    }
  }

  revokeToken(account: string | undefined, id: string): Promise<void> {
    return this.parts.book.revokeToken(required(account), id);
  }

  rotateKey(overlapSeconds: number): Promise<void> {
    return this.parts.rotateKey(overlapSeconds);
  }

  #hash(password: string): Promise<string> {
    refuseWeak(password);
    return this.parts.hasher.hash(password);
  }
}

/** There is no caller whose own account could be meant. */
function required(name: string | undefined): string {
  if (name === undefined) throw new CairnError('invalid_argument', 'with --data, name the account');
  return name;
}
