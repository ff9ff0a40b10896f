// All that a server knows about its accounts, put together over the metadata. It follows the changes that others make, so that
// what is taken away is gone at once everywhere. The metadata is somebody else's to close, after this.

import { type Clock, sleep } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';
import { accountsPrefix, prefixRange } from '../../meta/keys.js';
import type { KvStore } from '../../meta/kv.js';
import type { Logger } from '../logger.js';
import { AccountBook } from './account-book.js';
import { accountOfKey, accountPrefix } from './account-records.js';
import { Authenticator } from './authenticator.js';
import { FailedLogins } from './failed-logins.js';
import { createGate, type Gate } from './gate.js';
import { LoginBook } from './login-book.js';
import { type CheckPassword, passwordCheck } from './password-check.js';
import { type PasswordCost, PasswordHasher } from './password-hasher.js';
import { SignedTokens } from './signed-tokens.js';
import { openSigningKeys, rotateSigningKey } from './signing-keys.js';

export interface AccountsParts {
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly passwordCost: PasswordCost;
  /** Called at once when the first account is known. */
  readonly onExist?: (() => void) | undefined;
}

export interface Accounts {
  readonly gate: Gate;
  readonly book: AccountBook;
  readonly logins: LoginBook;
  readonly hasher: PasswordHasher;
  readonly failures: FailedLogins;
  readonly signed: SignedTokens;
  readonly authenticator: Authenticator;
  readonly checkPassword: CheckPassword;
  /** As `rotateSigningKey`; this server uses the new key when it is answered, others within moments. */
  rotateKey(overlapSeconds: number): Promise<void>;
  /** Whether there are any: then every call needs credentials. */
  exist(): boolean;
  /** Stops following. Resolves when nothing reads the metadata any more. */
  close(): Promise<void>;
}

/** Makes the signing key when there is none. Fails as the metadata does. */
export async function openAccounts(parts: AccountsParts): Promise<Accounts> {
  const { kv, clock, random, logger, passwordCost } = parts;
  const signed = new SignedTokens({ keys: await openSigningKeys(parts), clock });
  let exist = false;
  const note = (found: boolean) => {
    if (found && !exist) parts.onExist?.();
    exist ||= found;
  };
  const onChange = (name: string) => authenticator.forget(name);
  const book = new AccountBook({
    kv,
    clock,
    random,
    onChange(name) {
      // Whatever it was, there are some: the last account goes only where no server runs.
      note(true);
      onChange(name);
    },
  });
  const logins = new LoginBook({ kv, clock, random, onChange });
  const hasher = new PasswordHasher({ random, cost: passwordCost });
  const failures = new FailedLogins(clock);
  const checkPassword = passwordCheck({ book, hasher, failures });
  const authenticator: Authenticator = new Authenticator({ book, logins, signed, checkPassword, clock, random });
  note(!(await book.isEmpty()));

  const rereadKeys = async () => {
    signed.use(await openSigningKeys(parts));
    authenticator.forgetAll();
  };
  const stopping = new AbortController();
  const following = follow(kv, clock, logger, stopping.signal, {
    async beginning(found) {
      note(found);
      await rereadKeys();
      authenticator.setFollowing(true);
    },
    keyChanged: rereadKeys,
    changed(name) {
      note(true);
      authenticator.forget(name);
    },
    lost: () => authenticator.setFollowing(false),
  });
  return {
    gate: createGate({ authenticator, isClosed: () => exist }),
    book,
    logins,
    hasher,
    failures,
    signed,
    authenticator,
    checkPassword,
    async rotateKey(overlapSeconds) {
      try {
        await rotateSigningKey({ kv, clock, random }, overlapSeconds);
      } finally {
        // Also after a failure: it may have happened.
        await rereadKeys();
      }
    },
    exist: () => exist,
    async close() {
      stopping.abort();
      await following;
    },
  };
}

interface Follower {
  /** From here on every change is told; whether there are accounts now. */
  beginning(found: boolean): Promise<void>;
  keyChanged(): Promise<void>;
  changed(name: string): void;
  lost(): void;
}

/** Until the signal. Never rejects. */
async function follow(
  kv: KvStore,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
  follower: Follower,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items, revision } = await kv.range(prefixRange(accountPrefix), { limit: 1, keysOnly: true });
      await follower.beginning(items.length > 0);
      for await (const { events } of kv.watch(prefixRange(accountsPrefix), { from: revision + 1, signal })) {
        for (const event of events) {
          const name = accountOfKey(event.kind === 'put' ? event.item.key : event.key);
          if (name !== undefined) follower.changed(name);
          else await follower.keyChanged();
        }
      }
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'changes of accounts cannot be followed: trying again');
    }
    follower.lost();
    if (!signal.aborted) await sleep(clock, limits.accountWatchRetryMilliseconds, signal);
  }
}
