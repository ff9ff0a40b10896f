// Accounts over metadata in memory, with passwords that cost next to nothing and a clock in the test's hand.

import { type Accounts, openAccounts } from '../../src/api/auth/accounts.js';
import type { PasswordCost } from '../../src/api/auth/password-hasher.js';
import type { Role } from '../../src/api/auth/principal.js';
import { SignIn } from '../../src/api/auth/sign-in.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import type { KvStore } from '../../src/meta/kv.js';
import { KvState } from '../../src/meta/kv-state.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { MemoryRowDb } from '../../src/meta/memory-row-db.js';

export const cheapCost: PasswordCost = { logN: 4, r: 8, p: 1 };
export const password = 'correct horse';

export async function memoryKv(): Promise<KvStore> {
  return new LevelKv(await KvState.open(new MemoryRowDb()), 'test');
}

/** Stands still until it is told to go on; its timers are the machine's. */
export class HeldClock implements Clock {
  #now = 1_800_000_000_000;
  now = () => this.#now;
  monotonic = () => this.#now;
  after = systemClock.after;

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

export interface TestAccounts {
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly kv: KvStore;
  readonly clock: HeldClock;
  /** With the password above. */
  add(name: string, ...roles: Role[]): Promise<void>;
}

/** As one node's; another over the same metadata is another node. */
export async function testAccounts(
  given: { readonly kv?: KvStore; readonly clock?: HeldClock; readonly registrationRole?: Role } = {},
): Promise<TestAccounts> {
  const kv = given.kv ?? (await memoryKv());
  const clock = given.clock ?? new HeldClock();
  const logger = { error: () => {}, warn: () => {} };
  const accounts = await openAccounts({ kv, clock, random: systemRandom, logger, passwordCost: cheapCost });
  const signIn = new SignIn({ accounts, clock, registrationRole: given.registrationRole });
  return {
    accounts,
    signIn,
    kv,
    clock,
    async add(name, ...roles) {
      const passwordHash = await accounts.hasher.hash(password);
      await accounts.book.add({ name, roles, passwordHash, email: '' });
    },
  };
}

export function basic(name: string, secret = password): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
}
