// The accounts and their lasting tokens in the metadata. Each change is one transaction that holds only if what it was
// decided on still stands. Where there are accounts there is an admin: the first is one, and the last one stays.

import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Random, uniqueName } from '../../base/random.js';
import { absent, prefixRange, unchanged } from '../../meta/keys.js';
import type { KeyValue, KvStore, Txn } from '../../meta/kv.js';
import {
  type AccountRecord,
  accountKey,
  accountPrefix,
  accountRecord,
  decodeRecord,
  encodeRecord,
  isAccountName,
  keyRest,
  loginKey,
  type TokenRecord,
  tokenKey,
  tokenRecord,
} from './account-records.js';
import type { Operation, Role } from './principal.js';

export interface Account extends Omit<AccountRecord, 'version'> {
  readonly name: string;
  /** As it was read, for transactions that build on it. */
  readonly item: KeyValue;
}

export interface LastingToken extends Omit<TokenRecord, 'version'> {
  readonly id: string;
}

export interface NewToken {
  readonly label: string;
  readonly operations: readonly Operation[];
  /** In milliseconds of Unix time; undefined: it lasts until it is revoked. */
  readonly expiresAt: number | undefined;
}

export interface NewAccount {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly passwordHash: string | undefined;
  readonly email: string;
}

export interface AccountBookParts {
  readonly kv: KvStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Called after each change of an account, before it is answered. */
  readonly onChange: (name: string) => void;
}

export class AccountBook {
  readonly #parts: AccountBookParts;

  constructor(parts: AccountBookParts) {
    this.#parts = parts;
  }

  async isEmpty(): Promise<boolean> {
    const { items } = await this.#parts.kv.range(prefixRange(accountPrefix), { limit: 1, keysOnly: true });
    return items.length === 0;
  }

  async get(name: string): Promise<Account | undefined> {
    const item = isAccountName(name) ? await this.#parts.kv.get(accountKey(name)) : undefined;
    return item && toAccount(item);
  }

  /** In order of names. */
  async list({ after, limit }: { readonly after?: string | undefined; readonly limit: number }): Promise<Account[]> {
    const range = { limit, ...(after !== undefined && { after: accountKey(after) }) };
    return (await this.#parts.kv.range(prefixRange(accountPrefix), range)).items.map(toAccount);
  }

  count(): Promise<number> {
    return this.#parts.kv.count(prefixRange(accountPrefix));
  }

  /**
   * `invalid_argument` for what is no name or for no role, `already_exists`; `failed_precondition` when the first account
   * is no admin; `no_space` beyond `accountsCountMax`.
   */
  async add({ name, roles, passwordHash, email }: NewAccount): Promise<Account> {
    if (!isAccountName(name)) {
      const expected = 'lower-case letters, digits and . _ @ -, 64 at most, and a letter or a digit first';
      throw new CairnError('invalid_argument', `${JSON.stringify(name)} is no account name: expected ${expected}`);
    }
    refuseNoRole(roles);
    if (email.length > limits.emailCharactersMax)
      throw new CairnError('invalid_argument', 'the e-mail address is too long');
    const count = await this.count();
    if (count === 0 && !roles.includes('admin')) {
      throw new CairnError('failed_precondition', 'the first account has to be an admin: nobody could make others');
    }
    if (count >= limits.accountsCountMax)
      throw new CairnError('no_space', `there are ${count} accounts, and no room for more`);
    const createdAt = this.#parts.clock.now();
    const record = { version: 1 as const, roles: [...new Set(roles)], email, createdAt };
    const whole = passwordHash === undefined ? record : { ...record, passwordHash };
    const key = accountKey(name);
    const { succeeded } = await this.#change(name, {
      compares: [absent(key)],
      success: [{ kind: 'put', key, value: encodeRecord(accountRecord, whole) }],
    });
    if (!succeeded) throw new CairnError('already_exists', `there is an account ${name} already`);
    return this.#required(name);
  }

  /** With all its logins and tokens. `not_found`; `failed_precondition` for the last admin, unless it is the last account. */
  async remove(name: string, { evenTheLast = false } = {}): Promise<void> {
    await this.#untilDone(async () => {
      const account = await this.#required(name);
      const heir = account.roles.includes('admin') ? await this.#anotherAdmin(name) : undefined;
      const mayGo =
        heir !== undefined || !account.roles.includes('admin') || (evenTheLast && (await this.count()) === 1);
      if (!mayGo) throw lastAdmin(name);
      const { succeeded } = await this.#change(name, {
        compares: [unchanged(account.item.key, account.item), ...(heir ? [unchanged(heir.item.key, heir.item)] : [])],
        success: [
          { kind: 'delete', range: { start: account.item.key } },
          { kind: 'delete', range: prefixRange(loginKey(name)) },
          { kind: 'delete', range: prefixRange(tokenKey(name)) },
        ],
      });
      return succeeded;
    });
  }

  /**
   * Takes effect with the next call of whoever is let in as this account. `not_found`; `invalid_argument` for no role;
   * `failed_precondition` when the last admin would be none any more.
   */
  async setRoles(name: string, roles: readonly Role[]): Promise<Account> {
    refuseNoRole(roles);
    await this.#untilDone(async () => {
      const { item, roles: before } = await this.#required(name);
      const resigns = before.includes('admin') && !roles.includes('admin');
      const heir = resigns ? await this.#anotherAdmin(name) : undefined;
      if (resigns && heir === undefined) throw lastAdmin(name);
      const record = { ...decodeRecord(accountRecord, item.value), roles: [...new Set(roles)] };
      const { succeeded } = await this.#change(name, {
        compares: [unchanged(item.key, item), ...(heir ? [unchanged(heir.item.key, heir.item)] : [])],
        success: [{ kind: 'put', key: item.key, value: encodeRecord(accountRecord, record) }],
      });
      return succeeded;
    });
    return this.#required(name);
  }

  /** Ends all logins; tokens stay. `not_found` when there is no such account. */
  async setPassword(name: string, passwordHash: string): Promise<void> {
    await this.#untilDone(async () => {
      const { item } = await this.#required(name);
      const record = { ...decodeRecord(accountRecord, item.value), passwordHash };
      const { succeeded } = await this.#change(name, {
        compares: [unchanged(item.key, item)],
        success: [
          { kind: 'put', key: item.key, value: encodeRecord(accountRecord, record) },
          { kind: 'delete', range: prefixRange(loginKey(name)) },
        ],
      });
      return succeeded;
    });
  }

  /** `not_found` when there is no such account; `no_space` beyond `tokensPerAccountCountMax`. */
  async createToken(name: string, { label, operations, expiresAt }: NewToken): Promise<LastingToken> {
    if (label.length > limits.tokenLabelCharactersMax)
      throw new CairnError('invalid_argument', 'the label is too long');
    const { item } = await this.#required(name);
    if ((await this.tokens(name)).length >= limits.tokensPerAccountCountMax) {
      throw new CairnError('no_space', `${name} has ${limits.tokensPerAccountCountMax} tokens: revoke some first`);
    }
    const id = uniqueName(this.#parts.random);
    const record = { version: 1 as const, label, operations: [...operations], createdAt: this.#parts.clock.now() };
    const whole = expiresAt === undefined ? record : { ...record, expiresAt };
    const { succeeded } = await this.#change(name, {
      compares: [unchanged(item.key, item)],
      success: [{ kind: 'put', key: tokenKey(name, id), value: encodeRecord(tokenRecord, whole) }],
    });
    if (!succeeded) throw new CairnError('conflict', `the account ${name} was changed meanwhile`);
    return { ...whole, id };
  }

  async token(name: string, id: string): Promise<LastingToken | undefined> {
    const item = await this.#parts.kv.get(tokenKey(name, id));
    return item && { ...decodeRecord(tokenRecord, item.value), id };
  }

  /** All of them, those that have expired included. */
  async tokens(name: string): Promise<LastingToken[]> {
    const prefix = tokenKey(name);
    const { items } = await this.#parts.kv.range(prefixRange(prefix), { limit: limits.tokensPerAccountCountMax });
    return items.map((item) => ({ ...decodeRecord(tokenRecord, item.value), id: keyRest(item.key, prefix) }));
  }

  /** `not_found` when there is none. */
  async revokeToken(name: string, id: string): Promise<void> {
    const { results } = await this.#change(name, {
      success: [{ kind: 'delete', range: { start: tokenKey(name, id) } }],
    });
    const [result] = results;
    if (result?.kind !== 'delete' || result.deleted === 0) {
      throw new CairnError('not_found', `${name} has no token ${JSON.stringify(id)}`);
    }
  }

  async #change(name: string, txn: Txn) {
    try {
      return await this.#parts.kv.txn(txn);
    } finally {
      // Also after a failure: it may have happened.
      this.#parts.onChange(name);
    }
  }

  async #required(name: string): Promise<Account> {
    const account = await this.get(name);
    if (account === undefined) throw new CairnError('not_found', `there is no account ${JSON.stringify(name)}`);
    return account;
  }

  async #anotherAdmin(name: string): Promise<Account | undefined> {
    for (let after: string | undefined; ; ) {
      const page: Account[] = await this.list({ after, limit: limits.kvPageCountMax });
      const found = page.find((account) => account.name !== name && account.roles.includes('admin'));
      if (found !== undefined || page.length < limits.kvPageCountMax) return found;
      after = page.at(-1)!.name;
    }
  }

  async #untilDone(attempt: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < limits.accountChangeAttemptsCountMax; i++) if (await attempt()) return;
    throw new CairnError('conflict', 'others keep changing the same account');
  }
}

function toAccount(item: KeyValue): Account {
  return { ...decodeRecord(accountRecord, item.value), name: keyRest(item.key, accountPrefix), item };
}

function refuseNoRole(roles: readonly Role[]): void {
  if (roles.length === 0) throw new CairnError('invalid_argument', 'an account needs a role');
}

function lastAdmin(name: string): CairnError {
  return new CairnError('failed_precondition', `${name} is the last admin: make another first`);
}
