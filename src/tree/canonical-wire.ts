// The part of the Protocol Buffers encoding that tree nodes use, with exactly one encoding for each message: fields in
// order of their numbers, each at most once unless repeated, lengths and numbers as short as they go, fields of default
// value left out, nothing unknown. Tags are single bytes: field numbers up to 15.

import { CairnError } from '../base/errors.js';

const utf8Encoder = new TextEncoder();
/** A byte order mark is a character of a name like any other. */
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class WireWriter {
  #bytes = new Uint8Array(8192);
  #length = 0;

  /** The message so far; the writer begins anew. */
  take(): Uint8Array {
    const message = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return message;
  }

  /** A whole number up to 2⁵³ − 1. Zero is left out. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#reserve(9);
    this.#bytes[this.#length++] = tag;
    this.#varint(value);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.message(tag, () => {
      this.#reserve(value.length);
      this.#bytes.set(value, this.#length);
      this.#length += value.length;
    });
  }

  text(tag: number, value: string): void {
    this.message(tag, () => {
      this.#reserve(value.length * 3);
      this.#length += utf8Encoder.encodeInto(value, this.#bytes.subarray(this.#length)).written;
    });
  }

  /** What `write` writes, as one field; also when it is nothing. */
  message(tag: number, write: () => void): void {
    this.#reserve(10);
    this.#bytes[this.#length++] = tag;
    const start = this.#length + 1;
    this.#length = start;
    write();
    const length = this.#length - start;
    // One byte was left for the length. A longer one moves what was written.
    const room = varintLength(length);
    if (room > 1) {
      this.#reserve(room);
      this.#bytes.copyWithin(start + room - 1, start, start + length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Reads the fields that are asked for, in that order, and nothing else. All failures are `invalid_argument`. */
export class WireReader {
  #at: number;

  /** Reads `bytes` from `start` to `end`. What it hands out lies in the same buffer. */
  constructor(
    private readonly source: Uint8Array,
    start = 0,
    private readonly end = source.length,
  ) {
    this.#at = start;
  }

  /** The number of the field; 0 when it is left out. */
  number(tag: number): number {
    if (!this.#take(tag)) return 0;
    const value = this.#varint();
    if (value === 0) throw this.failure('a zero is spelled out');
    return value;
  }

  text(tag: number): string | undefined {
    const value = this.bytes(tag);
    if (value === undefined) return undefined;
    try {
      return utf8Decoder.decode(value);
    } catch (cause) {
      throw this.failure('a text is not UTF-8', cause);
    }
  }

  bytes(tag: number): Uint8Array | undefined {
    if (!this.#take(tag)) return undefined;
    const start = this.#skipLength();
    return this.source.subarray(start, this.#at);
  }

  message(tag: number): WireReader | undefined {
    if (!this.#take(tag)) return undefined;
    const start = this.#skipLength();
    return new WireReader(this.source, start, this.#at);
  }

  /** Refuses whatever is left. */
  finish(): void {
    if (this.#at !== this.end) throw this.failure('a field is unknown, repeated or out of order');
  }

  failure(reason: string, cause?: unknown): CairnError {
    return new CairnError('invalid_argument', `not a node of a tree: ${reason} before byte ${this.#at}`, { cause });
  }

  #take(tag: number): boolean {
    if (this.#at >= this.end || this.source[this.#at] !== tag) return false;
    this.#at++;
    return true;
  }

  #skipLength(): number {
    const length = this.#varint();
    const start = this.#at;
    if (length > this.end - start) throw this.failure('a field ends outside its message');
    this.#at = start + length;
    return start;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 128) {
      if (this.#at >= this.end) throw this.failure('a number is cut off');
      const byte = this.source[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte > 127) continue;
      if (byte === 0 && scale > 1) throw this.failure('a number has needless bytes');
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
    throw this.failure('a number is too large');
  }
}
