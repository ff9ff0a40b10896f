// Small blobs in the form in which they travel: the frame of one BatchWrite. Whoever reads their bytes reads them into
// their places in it, in whatever thread, so that nobody copies them on the way to the socket.

import type { NamedBlob } from '../base/blob-store.js';
import { type Digest, hashLength } from '../base/digest.js';
import { digestLength, FrameWriter, fieldLength, frameHeaderBytes, tags } from '../base/message-frame.js';

export interface BlobPack {
  readonly digests: readonly Digest[];
  /** A gRPC frame with a `BatchWriteRequest` of these blobs, in this order. */
  readonly frame: Uint8Array;
}

/** Of an item in front of the blob's own bytes, whatever their number. */
const headBytesMax = 24 + hashLength;

/** Fills a frame blob by blob: take `room`, read the bytes into it, `add` what they turned out to be. */
export class BlobPacker {
  readonly #writer: FrameWriter;

  /** For so many blobs of so many bytes together; `spare` is memory that was such a packer's before. */
  constructor(count: number, bytes: number, spare?: ArrayBuffer) {
    this.#writer = new FrameWriter(count * headBytesMax + bytes + 1, spare);
  }

  /** The place of a blob's bytes and one more, by which a longer blob shows itself; undefined when the frame is full. */
  room(size: number): Uint8Array | undefined {
    const { frame, at } = this.#writer;
    const start = at + itemBytes(size) - size;
    return start + size < frame.length ? frame.subarray(start, start + size + 1) : undefined;
  }

  /** The blob whose bytes are in the room taken last. */
  add(digest: Digest): void {
    writeHead(this.#writer, digest, digest.size);
    this.#writer.at += digest.size;
  }

  /** The frame of what was added. */
  finish(): Uint8Array {
    return this.#writer.finish();
  }
}

/** What comes before a blob's bytes. How many they are need not be what the digest says: then the server refuses them. */
function writeHead(writer: FrameWriter, digest: Digest, bytes: number): void {
  writer.tag(tags.bytes1, contentBytes(digest.size, bytes));
  writer.digest(digest);
  writer.tag(tags.bytes2, bytes);
}

/** Of the item of a blob in its message. */
function itemBytes(size: number, bytes = size): number {
  return fieldLength(contentBytes(size, bytes));
}

function contentBytes(size: number, bytes: number): number {
  return fieldLength(digestLength({ size })) + fieldLength(bytes);
}

export function packBlobs(blobs: readonly NamedBlob[]): BlobPack {
  let length = 0;
  for (const { digest, bytes } of blobs) length += itemBytes(digest.size, bytes.length);
  const writer = new FrameWriter(length);
  for (const { digest, bytes } of blobs) {
    writeHead(writer, digest, bytes.length);
    writer.bytes(bytes);
  }
  return { digests: blobs.map(({ digest }) => digest), frame: writer.finish() };
}

/** A pack of some of the blobs, named by their indexes in ascending order. */
export function selectBlobs({ digests, frame }: BlobPack, indexes: readonly number[]): BlobPack {
  const selected = indexes.map((index) => digests[index]!);
  const writer = new FrameWriter(selected.reduce((sum, { size }) => sum + itemBytes(size), 0));
  let at = frameHeaderBytes;
  let next = 0;
  for (const [index, { size }] of digests.entries()) {
    const end = at + itemBytes(size);
    if (index === indexes[next]) {
      writer.bytes(frame.subarray(at, end));
      next++;
    }
    at = end;
  }
  return { digests: selected, frame: writer.finish() };
}
