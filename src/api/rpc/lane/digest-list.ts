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

export class DigestList implements AskedDigests {
  readonly #bytes: Uint8Array;
  /** Where each digest's field begins; at the end, the end. */
  readonly #starts: readonly number[];
  readonly #sizes: readonly number[];

  private constructor(bytes: Uint8Array, starts: readonly number[], sizes: readonly number[]) {
    this.#bytes = bytes;
    this.#starts = starts;
    this.#sizes = sizes;
  }

  /** Undefined for any other message, or one with a malformed digest. The bytes must not change. */
  static parse(bytes: Uint8Array): DigestList | undefined {
    const starts: number[] = [];
    const sizes: number[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = bytes[at + 1]!;
      const end = at + 2 + length;
      const hashAt = end - hashFieldBytes;
      if (bytes[at] !== listTag || length >= continues || end > bytes.length || hashAt < at + 2) return undefined;
      if (bytes[hashAt] !== hashTag || bytes[hashAt + 1] !== hashLength) return undefined;
      const size = hashAt === at + 2 ? 0 : sizeIn(bytes, at + 2, hashAt);
      if (size === undefined) return undefined;
      starts.push(at);
      sizes.push(size);
      at = end;
    }
    starts.push(at);
    return new DigestList(bytes, starts, sizes);
  }

  /** Of the message. */
  get byteLength(): number {
    return this.#bytes.length;
  }

  get count(): number {
    return this.#sizes.length;
  }

  at(index: number): Digest {
    const end = this.#starts[index + 1]!;
    return toDigest(toHash(this.#bytes.subarray(end - hashLength, end)), this.#sizes[index]!);
  }

  /** The digests at these indexes as a list, in an envelope. */
  encode(indexes: readonly number[]): Uint8Array {
    let length = 0;
    for (const index of indexes) length += this.#starts[index + 1]! - this.#starts[index]!;
    const envelope = Buffer.allocUnsafe(envelopeHeadBytes + length);
    envelope[0] = 0;
    envelope.writeUInt32BE(length, 1);
    let to = envelopeHeadBytes;
    for (const index of indexes) {
      // Too few bytes for a call of `set` to be worth it.
      const end = this.#starts[index + 1]!;
      for (let from = this.#starts[index]!; from < end; from++) envelope[to++] = this.#bytes[from]!;
    }
    return envelope;
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
