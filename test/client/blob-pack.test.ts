// Packs against the generated code: made blob by blob, at once, and from other packs.

import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { NamedBlob } from '../../src/base/blob-store.js';
import { frameHeaderBytes } from '../../src/base/message-frame.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { BlobPacker, packBlobs, selectBlobs } from '../../src/client/blob-pack.js';
import { encodeDigest } from '../../src/client/wire.js';
import { BatchWriteRequestSchema } from '../../src/gen/cairn/v1/blob_service_pb.js';

const blobs = [0, 1, 79, 80, 127, 128, 5000, 16_383, 16_384, 65_536].map((size): NamedBlob => {
  const bytes = new Uint8Array(size).fill(size % 251);
  return { digest: digestBlob(bytes), bytes };
});

/** What the message in a frame holds, whose header must be right. */
function itemsIn(frame: Uint8Array) {
  expect(frame[0]).toBe(0);
  expect(new DataView(frame.buffer, frame.byteOffset).getUint32(1)).toBe(frame.length - frameHeaderBytes);
  return fromBinary(BatchWriteRequestSchema, frame.subarray(frameHeaderBytes)).items;
}

const itemsOf = (all: readonly NamedBlob[]) =>
  all.map(({ digest, bytes }) => ({ digest: encodeDigest(digest), data: bytes }));

describe('packBlobs', () => {
  it('holds blobs of every size', () => {
    const pack = packBlobs(blobs);
    expect(itemsIn(pack.frame)).toMatchObject(itemsOf(blobs));
    expect(pack.digests).toEqual(blobs.map(({ digest }) => digest));
    expect(itemsIn(packBlobs([]).frame)).toEqual([]);
  });
});

describe('selectBlobs', () => {
  it.each([[[]], [[0]], [[9]], [[1, 2, 7]], [blobs.map((_, i) => i)]])('takes %j', (indexes) => {
    const pack = selectBlobs(packBlobs(blobs), indexes);
    const selected = indexes.map((index) => blobs[index]!);
    expect(itemsIn(pack.frame)).toMatchObject(itemsOf(selected));
    expect(pack.digests).toEqual(selected.map(({ digest }) => digest));
  });
});

describe('BlobPacker', () => {
  it('has no room for what does not fit, and forgets what was not added', () => {
    const packer = new BlobPacker(2, 100);
    packer.room(90)!.fill(7);
    const blob = { bytes: Uint8Array.of(1, 2, 3), digest: digestBlob(Uint8Array.of(1, 2, 3)) };
    const room = packer.room(3)!;
    expect(room).toHaveLength(4);
    room.set(blob.bytes);
    // One byte more than the blob.
    room[3] = 9;
    packer.add(blob.digest);
    expect(packer.room(10_000)).toBeUndefined();
    expect(itemsIn(packer.finish())).toMatchObject(itemsOf([blob]));
  });
});
