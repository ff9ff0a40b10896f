// Single-use tokens that GetTransportDetails hands out and Transport calls present: UUIDs of version 8 holding
//   node id 16 bits · expiry 32 bits (Unix seconds) · counter 18 bits · MAC 56 bits (HMAC-SHA256 of the rest, truncated),
// so that checking one needs the key alone. A token belongs to the first HTTP/2 session that presents it, for as long as
// that session lives; outside HTTP/2 to one call. Redeemed ones are remembered until they would have expired.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { assert } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';

export interface TransportTokenParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Tells which node issued a token, 0–65,535. */
  readonly nodeId: number;
}

/** Why a token was good or not. */
export type Redemption = 'redeemed' | 'owned' | 'unknown' | 'expired' | 'spent' | 'overloaded';

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const counterEnd = 1 << 18;
const macOffset = 9;

/** Whether a text has the form of a token, whoever made it. */
export function looksLikeToken(text: string): boolean {
  return uuidPattern.test(text);
}

export class TransportTokens {
  readonly #clock: Clock;
  readonly #nodeId: number;
  readonly #key: Uint8Array;
  #counter: number;
  /** Token → when it may be forgotten, oldest first. */
  readonly #spent = new Map<string, number>();
  readonly #owned = new WeakMap<object, Set<string>>();
  #ignoredCount = 0;

  constructor({ clock, random, nodeId }: TransportTokenParts) {
    assert(Number.isInteger(nodeId) && nodeId >= 0 && nodeId <= 0xffff, `${nodeId} is no node id`);
    this.#clock = clock;
    this.#nodeId = nodeId;
    this.#key = random.bytes(32);
    this.#counter = Buffer.from(random.bytes(4)).readUInt32BE() % counterEnd;
  }

  /** Tokens that were presented and ignored, since tokens are optional. */
  get ignoredCount(): number {
    return this.#ignoredCount;
  }

  countIgnored(): void {
    this.#ignoredCount++;
  }

  issue(): string {
    const token = Buffer.alloc(16);
    token.writeUInt16BE(this.#nodeId, 0);
    token.writeUInt32BE(this.#nowSeconds() + limits.transportTokenSecondsMax, 2);
    token.writeUInt16BE(0x8000 | (this.#counter >>> 6), 6);
    token[8] = 0x80 | (this.#counter & 0x3f);
    this.#counter = (this.#counter + 1) % counterEnd;
    this.#mac(token).copy(token, macOffset);
    const hex = token.toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  /** Takes a token for a session, or for one call when there is no session. `redeemed` and `owned` are the good answers. */
  redeem(text: string, session: object | undefined): Redemption {
    if (!looksLikeToken(text)) return 'unknown';
    const name = text.toLowerCase();
    if (session !== undefined && this.#owned.get(session)?.has(name)) return 'owned';
    const token = Buffer.from(name.replaceAll('-', ''), 'hex');
    if (token[6]! >>> 4 !== 8 || token[8]! >>> 6 !== 2) return 'unknown';
    if (!timingSafeEqual(this.#mac(token), token.subarray(macOffset))) return 'unknown';
    const now = this.#nowSeconds();
    if (token.readUInt32BE(2) <= now) return 'expired';
    this.#forgetExpired(now);
    if (this.#spent.has(name)) return 'spent';
    if (this.#spent.size >= limits.spentTokensCountMax) return 'overloaded';
    if (session !== undefined && !this.#own(session, name)) return 'overloaded';
    this.#spent.set(name, now + limits.transportTokenSecondsMax);
    return 'redeemed';
  }

  #own(session: object, name: string): boolean {
    const owned = this.#owned.get(session) ?? new Set();
    if (owned.size >= limits.tokensPerSessionCountMax) return false;
    this.#owned.set(session, owned.add(name));
    return true;
  }

  #forgetExpired(now: number): void {
    for (const [name, forgetAt] of this.#spent) {
      if (forgetAt > now) return;
      this.#spent.delete(name);
    }
  }

  #mac(token: Buffer): Buffer {
    return createHmac('sha256', this.#key)
      .update(token.subarray(0, macOffset))
      .digest()
      .subarray(0, 16 - macOffset);
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
