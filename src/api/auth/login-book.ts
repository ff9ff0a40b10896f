// Logins in the metadata. A login is a family of tokens: its refresh token is exchanged for the next one at each use, and
// only the latest is good. An older one that turns up again was copied, by its owner or by a thief, and nobody can tell
// which of the two is asking: the whole login ends.

import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Random, uniqueName } from '../../base/random.js';
import { prefixRange, unchanged } from '../../meta/keys.js';
import type { KvStore, Txn } from '../../meta/kv.js';
import type { Account } from './account-book.js';
import { decodeRecord, encodeRecord, keyRest, type LoginRecord, loginKey, loginRecord } from './account-records.js';

export interface Login extends Omit<LoginRecord, 'version'> {
  readonly id: string;
}

export interface LoginBookParts {
  readonly kv: KvStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Called after a login ended, before it is answered. */
  readonly onChange: (name: string) => void;
}

export class LoginBook {
  readonly #parts: LoginBookParts;

  constructor(parts: LoginBookParts) {
    this.#parts = parts;
  }

  /**
   * Holds only if the account is still as it was read: `conflict` otherwise. Ends the oldest login when there are too many,
   * and clears away those that have expired.
   */
  async begin(account: Account): Promise<Login> {
    const { kv, clock, random } = this.#parts;
    const now = clock.now();
    const id = uniqueName(random);
    const record = { version: 1, turn: 0, createdAt: now, expiresAt: now + lifeMilliseconds } as const;
    const gone = superfluous(await this.#all(account.name), now);
    const { succeeded } = await kv.txn({
      compares: [unchanged(account.item.key, account.item)],
      success: [
        { kind: 'put', key: loginKey(account.name, id), value: encodeRecord(loginRecord, record) },
        ...gone.map((login) => ({ kind: 'delete', range: { start: loginKey(account.name, login.id) } }) as const),
      ],
    });
    if (gone.length > 0) this.#parts.onChange(account.name);
    if (!succeeded) throw new CairnError('conflict', `the account ${account.name} was changed meanwhile`);
    return { ...record, id };
  }

  /** Undefined when it has ended. */
  async get(name: string, id: string): Promise<Login | undefined> {
    const item = await this.#parts.kv.get(loginKey(name, id));
    const login = item && decodeRecord(loginRecord, item.value);
    return login === undefined || login.expiresAt <= this.#parts.clock.now() ? undefined : { ...login, id };
  }

  /** Takes the refresh token of this turn for the next one. `unauthenticated` when it is not the good one; see above. */
  async advance(name: string, id: string, turn: number): Promise<Login> {
    const { kv, clock } = this.#parts;
    const key = loginKey(name, id);
    const item = await kv.get(key);
    const login = item && decodeRecord(loginRecord, item.value);
    const now = clock.now();
    if (login === undefined || login.expiresAt <= now) throw new CairnError('unauthenticated', 'the login has ended');
    const next = { ...login, turn: turn + 1, expiresAt: now + lifeMilliseconds };
    const current = login.turn === turn;
    const { succeeded } = await this.#change(name, {
      // Of two that come with the same token at once, one is the copy.
      compares: current ? [unchanged(key, item)] : [],
      success: current
        ? [{ kind: 'put', key, value: encodeRecord(loginRecord, next) }]
        : [{ kind: 'delete', range: { start: key } }],
      failure: [{ kind: 'delete', range: { start: key } }],
    });
    if (current && succeeded) return { ...next, id };
    throw new CairnError('unauthenticated', 'the refresh token was used before: the login has ended');
  }

  /** Whether there was one to end. */
  async end(name: string, id: string): Promise<boolean> {
    const { results } = await this.#change(name, {
      success: [{ kind: 'delete', range: { start: loginKey(name, id) } }],
    });
    const [result] = results;
    return result?.kind === 'delete' && result.deleted > 0;
  }

  async #all(name: string): Promise<Login[]> {
    const prefix = loginKey(name);
    const { items } = await this.#parts.kv.range(prefixRange(prefix), { limit: limits.kvOperationsCountMax - 1 });
    return items.map((item) => ({ ...decodeRecord(loginRecord, item.value), id: keyRest(item.key, prefix) }));
  }

  async #change(name: string, txn: Txn) {
    try {
      return await this.#parts.kv.txn(txn);
    } finally {
      // Also after a failure: it may have happened.
      this.#parts.onChange(name);
    }
  }
}

const lifeMilliseconds = limits.refreshTokenSeconds * 1000;

/** Logins that have to go before there is one more: the expired, and of the rest the oldest beyond the limit. */
function superfluous(logins: readonly Login[], now: number): Login[] {
  const living = logins.filter(({ expiresAt }) => expiresAt > now).sort((a, b) => a.createdAt - b.createdAt);
  const beyond = Math.max(0, living.length - (limits.loginsPerAccountCountMax - 1));
  return [...logins.filter(({ expiresAt }) => expiresAt <= now), ...living.slice(0, beyond)];
}
