// Holds up who guesses passwords: failures are counted by account name and by address, each in a bucket that fills up
// again with time. An attempt takes its place before the password is looked at, so a thousand at once are no way around, and
// gives it back when it was right. The memory is bounded: buckets that are full again are forgotten, then the oldest. An address
// that has logged in to an account is not kept from it by what others fail at: otherwise anybody could lock out anybody.

import ipaddr from 'ipaddr.js';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { isAccountName } from './account-records.js';

/** An attempt under way. */
export interface LoginAttempt {
  succeeded(): void;
  /** It came to nothing for reasons of the server's, and says nothing about who made it. */
  undecided(): void;
}

interface Bucket {
  left: number;
  at: number;
}

class Buckets {
  /** The longest unused first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly failuresCountMax: number,
    private readonly refillMilliseconds: number,
  ) {}

  /** What is left for this key now. */
  left(key: string, now: number): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return this.failuresCountMax;
    return Math.min(this.failuresCountMax, bucket.left + (now - bucket.at) / this.refillMilliseconds);
  }

  add(key: string, now: number, count: number): void {
    const left = Math.min(this.failuresCountMax, this.left(key, now) + count);
    this.#buckets.delete(key);
    if (left === this.failuresCountMax) return;
    if (this.#buckets.size >= limits.failedLoginsRememberedCountMax) this.#forgetOne(now);
    this.#buckets.set(key, { left, at: now });
  }

  #forgetOne(now: number): void {
    const [oldest] = this.#buckets.keys();
    for (const key of this.#buckets.keys()) {
      if (this.left(key, now) < this.failuresCountMax) break;
      this.#buckets.delete(key);
    }
    this.#buckets.delete(oldest!);
  }
}

export class FailedLogins {
  readonly #byName = new Buckets(limits.failedLoginsByNameCountMax, limits.failedLoginByNameMilliseconds);
  readonly #byAddress = new Buckets(limits.failedLoginsByAddressCountMax, limits.failedLoginByAddressMilliseconds);
  /** Addresses with the names they have logged in as; the longest ago first. */
  readonly #familiar = new Set<string>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** `overloaded` when this name, or this address, has failed too often of late. An attempt has failed until it says otherwise. */
  attempt(name: string, address: string): LoginAttempt {
    const now = this.clock.monotonic();
    const from = addressKey(address);
    // Names that no account can have share a bucket: they may have any length, and be many.
    const account = isAccountName(name) ? name : '';
    const pair = `${from} ${account}`;
    const isFamiliar = this.#familiar.has(pair);
    if ((!isFamiliar && this.#byName.left(account, now) < 1) || this.#byAddress.left(from, now) < 1) {
      throw new CairnError('overloaded', 'too many failed logins: try again later');
    }
    if (!isFamiliar) this.#byName.add(account, now, -1);
    this.#byAddress.add(from, now, -1);
    const undecided = () => {
      const later = this.clock.monotonic();
      if (!isFamiliar) this.#byName.add(account, later, 1);
      this.#byAddress.add(from, later, 1);
    };
    return {
      undecided,
      succeeded: () => {
        undecided();
        this.#remember(pair);
      },
    };
  }

  #remember(pair: string): void {
    this.#familiar.delete(pair);
    if (this.#familiar.size >= limits.failedLoginsRememberedCountMax) {
      const [oldest] = this.#familiar;
      this.#familiar.delete(oldest!);
    }
    this.#familiar.add(pair);
  }
}

/** A home or a machine has a whole /64 of IPv6 to itself. */
function addressKey(address: string): string {
  if (!ipaddr.isValid(address)) return '';
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv6' ? parsed.toNormalizedString().split(':').slice(0, 4).join(':') : parsed.toString();
}
