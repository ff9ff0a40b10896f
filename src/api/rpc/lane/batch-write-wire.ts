// BatchWrite's messages by hand, where they have the form that encoders give them: every field once, in order of their
// numbers, nothing unknown. Anything else is for the generated code.

import type { NamedBlob } from '../../../base/blob-store.js';
import { hashLength, toDigest, toHash } from '../../../base/digest.js';
import { digestLength, FrameWriter, fieldLength, tags } from '../../../base/message-frame.js';

/** Blobs that are read, or answered, in one step. */
export const batchStepCount = 512;

/**
 * The blobs, lying in the message's bytes; their sizes need not be what they declare. Undefined for a message that is for
 * the generated code, be it good or bad. Awaits `betweenSteps` where another step begins.
 */
export async function decodeBatchWrite(
  message: Uint8Array,
  betweenSteps: () => Promise<void> | undefined,
): Promise<NamedBlob[] | undefined> {
  const blobs: NamedBlob[] = [];
  const cursor = new Cursor(message);
  while (cursor.at < message.length) {
    if (beginsStep(blobs.length)) await betweenSteps();
    const itemEnd = cursor.enter(tags.bytes1, message.length);
    const digestEnd = cursor.enter(tags.bytes1, itemEnd);
    const size = message[cursor.at] === tags.number1 ? cursor.number(tags.number1) : 0;
    const hashEnd = cursor.enter(tags.bytes2, digestEnd);
    if (hashEnd !== digestEnd || hashEnd - cursor.at !== hashLength || !Number.isSafeInteger(size)) return undefined;
    const hash = toHash(message.subarray(cursor.at, hashEnd));
    cursor.at = hashEnd;
    const dataEnd = hashEnd === itemEnd ? itemEnd : cursor.enter(tags.bytes2, itemEnd);
    if (dataEnd !== itemEnd) return undefined;
    blobs.push({ digest: toDigest(hash, size), bytes: message.subarray(cursor.at, dataEnd) });
    cursor.at = dataEnd;
  }
  return blobs;
}

function beginsStep(index: number): boolean {
  return index > 0 && index % batchStepCount === 0;
}

/** A frame with the answer when every blob is stored; `existed` tells of each whether it was before. In steps, too. */
export async function encodeBatchWritten(
  blobs: readonly NamedBlob[],
  existed: readonly boolean[],
  betweenSteps: () => Promise<void> | undefined,
): Promise<Uint8Array> {
  const lengthOf = (index: number) => {
    return fieldLength(digestLength(blobs[index]!.digest)) + fieldLength(0) + (existed[index] ? 2 : 0);
  };
  let bytes = 0;
  for (let index = 0; index < blobs.length; index++) bytes += fieldLength(lengthOf(index));
  const writer = new FrameWriter(bytes);
  for (const [index, { digest }] of blobs.entries()) {
    if (beginsStep(index)) await betweenSteps();
    writer.tag(tags.bytes1, lengthOf(index));
    writer.digest(digest);
    // The status, of which nothing is to be said.
    writer.tag(tags.bytes2, 0);
    if (existed[index]) writer.tag(tags.number3, 1);
  }
  return writer.finish();
}

/** What is not as expected ends at NaN, which equals no position. */
class Cursor {
  at = 0;

  constructor(private readonly message: Uint8Array) {}

  /** Steps into a field of bytes, and answers where it ends: within `end`. */
  enter(tag: number, end: number): number {
    const length = this.number(tag);
    return this.at + length <= end ? this.at + length : Number.NaN;
  }

  number(tag: number): number {
    if (this.message[this.at++] !== tag) return Number.NaN;
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.message[this.at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return Number.NaN;
  }
}
