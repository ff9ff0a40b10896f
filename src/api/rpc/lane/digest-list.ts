// Digests as they stand in a message whose field 1 repeats them: NegotiateBlobs' question, and its answer alike. They are
// looked up where they lie, and those of the answer are copied as they are, so that no digest becomes a message object.
// Only the one encoding that encoders produce is taken; whoever wrote another one is served by the general decoder.

import { type Digest, hashLength, toDigest, toHash } from '../../../base/digest.js';
import type { AskedDigests } from '../missing-digests.js';
import { envelopeHeadBytes } from './envelope.js';

const listTag = 0x0a;
const sizeTag = 0x08;
const hashTag = 0x12;
/** Of a digest without a size, which is zero. */
const hashFieldBytes = 2 + hashLength;
const continues = 0x80;

/** Digests that are read, or copied, in one step. */
const stepCount = 4096;

export class DigestList implements AskedDigests {
  readonly #bytes: Uint8Array;
  /** Where each digest's field ends. */
  readonly #ends: number[] = [];
  readonly #sizes: number[] = [];

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Undefined for any other message, or one with a malformed digest. The bytes must not change. */
  static parse(bytes: Uint8Array): DigestList | undefined {
    const list = new DigestList(bytes);
    return list.#parse(Number.POSITIVE_INFINITY) ? list : undefined;
  }

  /** The same in steps, with a call of `beforeStep` before each. */
  static async parseInSteps(
    bytes: Uint8Array,
    beforeStep: () => Promise<void> | undefined,
  ): Promise<DigestList | undefined> {
    const list = new DigestList(bytes);
    while (list.#startOf(list.count) < bytes.length) {
      await beforeStep();
      if (!list.#parse(stepCount)) return undefined;
    }
    return list;
  }

  /** Reads so many more digests, or those that are left; false when something else is there. */
  #parse(countMax: number): boolean {
    const bytes = this.#bytes;
    let at = this.#startOf(this.count);
    for (let count = 0; count < countMax && at < bytes.length; count++) {
      const length = bytes[at + 1]!;
      const end = at + 2 + length;
      const hashAt = end - hashFieldBytes;
      if (bytes[at] !== listTag || length >= continues || end > bytes.length || hashAt < at + 2) return false;
      if (bytes[hashAt] !== hashTag || bytes[hashAt + 1] !== hashLength) return false;
      const size = hashAt === at + 2 ? 0 : sizeIn(bytes, at + 2, hashAt);
      if (size === undefined) return false;
      this.#ends.push(end);
      this.#sizes.push(size);
      at = end;
    }
    return true;
  }

  get count(): number {
    return this.#sizes.length;
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  at(index: number): Digest {
    const end = this.#ends[index]!;
    return toDigest(toHash(this.#bytes.subarray(end - hashLength, end)), this.#sizes[index]!);
  }

  /** The digests at these indexes as a list, in an envelope; in steps, with a call of `beforeStep` before each. */
  async encode(indexes: readonly number[], beforeStep: () => Promise<void> | undefined): Promise<Uint8Array> {
    let length = 0;
    for (const index of indexes) length += this.#ends[index]! - this.#startOf(index);
    const envelope = Buffer.allocUnsafe(envelopeHeadBytes + length);
    envelope[0] = 0;
    envelope.writeUInt32BE(length, 1);
    let to = envelopeHeadBytes;
    for (let start = 0; start < indexes.length; start += stepCount) {
      await beforeStep();
      to = this.#copy(indexes, start, Math.min(indexes.length, start + stepCount), envelope, to);
    }
    return envelope;
  }

  /** Answers where the copies end. */
  #copy(indexes: readonly number[], first: number, end: number, target: Uint8Array, start: number): number {
    let to = start;
    for (let i = first; i < end; i++) {
      // Too few bytes for a call of `set` to be worth it.
      const fieldEnd = this.#ends[indexes[i]!]!;
      for (let from = this.#startOf(indexes[i]!); from < fieldEnd; from++) target[to++] = this.#bytes[from]!;
    }
    return to;
  }
}

/** The number of a size field that fills these bytes, if it is no longer than need be, not zero, and below 2⁵³. */
function sizeIn(bytes: Uint8Array, start: number, end: number): number | undefined {
  const last = bytes[end - 1]!;
  if (bytes[start] !== sizeTag || end - start < 2 || last === 0 || last >= continues) return undefined;
  let size = 0;
  let unit = 1;
  for (let at = start + 1; at < end; at++, unit *= continues) {
    if (at < end - 1 && bytes[at]! < continues) return undefined;
    size += (bytes[at]! % continues) * unit;
  }
  return Number.isSafeInteger(size) ? size : undefined;
}
