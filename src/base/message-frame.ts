// Protocol Buffers messages written by hand, each in the frame in which gRPC sends it: for the few messages of which
// there are so many that making an object of each field costs more than the work they ask for.

import { type Digest, hashLength } from './digest.js';

/** A byte for compression, which is not used, and the length in four. */
export const frameHeaderBytes = 5;

/** Tags of fields that hold a length and bytes, and of those that hold a number. */
export const tags = { bytes1: 0x0a, bytes2: 0x12, bytes3: 0x1a, number1: 0x08, number3: 0x18 } as const;

/** Tag, length and value of a field that holds so many bytes. */
export function fieldLength(bytes: number): number {
  return 1 + varintLength(bytes) + bytes;
}

/** Of a `Digest` message; below 128. A size of zero is left out, as encoders do. */
export function digestLength({ size }: Pick<Digest, 'size'>): number {
  return (size === 0 ? 0 : 1 + varintLength(size)) + fieldLength(hashLength);
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest /= 128) length++;
  return length;
}

/** An encoded message in its frame. */
export function frameOf(message: Uint8Array): Uint8Array {
  const writer = new FrameWriter(message.length);
  writer.bytes(message);
  return writer.finish();
}

export class FrameWriter {
  readonly frame: Uint8Array;
  /** Where the next byte goes. */
  at = frameHeaderBytes;

  /** Room for a message of so many bytes, in memory that was a frame's before when there is enough of it. */
  constructor(bytesMax: number, spare?: ArrayBuffer) {
    const length = frameHeaderBytes + bytesMax;
    this.frame = spare !== undefined && spare.byteLength >= length ? new Uint8Array(spare) : new Uint8Array(length);
    // Not compressed.
    this.frame[0] = 0;
  }

  /** The frame, up to the last byte written. */
  finish(): Uint8Array {
    new DataView(this.frame.buffer).setUint32(1, this.at - frameHeaderBytes);
    return this.frame.subarray(0, this.at);
  }

  /** A tag, and a number or the length of the bytes that follow. */
  tag(tag: number, value: number): void {
    this.frame[this.at++] = tag;
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.frame[this.at++] = (rest % 128) | 128;
    this.frame[this.at++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.frame.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** As field 1. */
  digest(digest: Digest): void {
    this.tag(tags.bytes1, digestLength(digest));
    if (digest.size > 0) this.tag(tags.number1, digest.size);
    this.tag(tags.bytes2, hashLength);
    this.bytes(digest.hash);
  }
}
