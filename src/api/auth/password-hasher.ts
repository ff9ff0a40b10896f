// Passwords as scrypt hashes (RFC 7914), in text that names its own cost:
//   $scrypt$ln=15,r=8,p=3$SALT$HASH      salt and hash in base64 without padding
// One hash takes 32 MiB and a good part of a second of one thread, so few run at once, few wait, and the rest are refused.

import { type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';

/** Cost as RFC 7914 names it: 2^logN blocks of 128 r bytes, p times. */
export interface PasswordCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** One of the settings that OWASP's cheat sheet on password storage calls equal, with 32 MiB. */
export const passwordCost: PasswordCost = { logN: 15, r: 8, p: 3 };

const saltBytes = 16;
const hashBytes = 32;
const hashPattern = /^\$scrypt\$ln=(?<logN>\d{1,2}),r=(?<r>\d{1,2}),p=(?<p>\d{1,2})\$(?<salt>[^$]+)\$(?<hash>[^$]+)$/;

export class PasswordHasher {
  readonly #random: Random;
  readonly #cost: PasswordCost;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** What passwords of nobody are compared with. */
  readonly #nobody: string;

  constructor({ random, cost }: { readonly random: Random; readonly cost: PasswordCost }) {
    this.#random = random;
    this.#cost = cost;
    this.#nobody = encode(cost, random.bytes(saltBytes), random.bytes(hashBytes));
  }

  /** `overloaded` when too many wait already. */
  async hash(password: string): Promise<string> {
    const salt = this.#random.bytes(saltBytes);
    return encode(this.#cost, salt, await this.#derive(password, salt, this.#cost));
  }

  /** Without a hash, as for an unknown account, it takes as long and says no. `overloaded` when too many wait already. */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const { cost, salt, expected } = decode(hash ?? this.#nobody);
    const derived = await this.#derive(password, salt, cost);
    return timingSafeEqual(derived, expected) && hash !== undefined;
  }

  async #derive(password: string, salt: Uint8Array, { logN, r, p }: PasswordCost): Promise<Buffer> {
    await this.#enter();
    try {
      const N = 2 ** logN;
      // Node counts a little beside the blocks themselves.
      return await deriveKey(password, salt, { N, r, p, maxmem: 128 * r * (N + p) + 1024 * 1024 });
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running >= limits.passwordHashesAtOnceCountMax) {
      if (this.#waiting.length >= limits.passwordHashesWaitingCountMax) {
        throw new CairnError('overloaded', 'too many logins at once');
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }
}

function deriveKey(password: string, salt: Uint8Array, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // The same letters in another composition are the same password.
    scrypt(password.normalize('NFC'), salt, hashBytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function encode({ logN, r, p }: PasswordCost, salt: Uint8Array, hash: Uint8Array): string {
  return `$scrypt$ln=${logN},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/** `corrupt` for text that `encode` did not make. */
function decode(text: string): { cost: PasswordCost; salt: Uint8Array; expected: Uint8Array } {
  const found = hashPattern.exec(text)?.groups;
  const expected = Buffer.from(found?.hash ?? '', 'base64');
  if (found === undefined || expected.length !== hashBytes) {
    throw new CairnError('corrupt', 'the hash of a password cannot be read');
  }
  const cost = { logN: Number(found.logN), r: Number(found.r), p: Number(found.p) };
  return { cost, salt: Buffer.from(found.salt!, 'base64'), expected };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
