// zako.v1.transport, whichever way it is spoken to.

import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import {
  chunkMessage,
  collect,
  freshBlob,
  metadataMessage,
  namedBlob,
  sequence,
  uploadMessages,
} from './wire-blobs.js';
import { expectCode, type WireCaller } from './wire-caller.js';

export function transportSuite(caller: () => WireCaller): void {
  describe('Upload and Download', () => {
    it.each([0, 9, 65_535, 65_536, 65_537, 1_048_577, 3_500_000])('carry %i bytes', async (size) => {
      const blob = freshBlob(size);
      const { committedSize } = await caller().transport.upload(uploadMessages(blob));
      expect(committedSize).toBe(BigInt(size));
      expect((await caller().downloaded(blob)).equals(blob.bytes)).toBe(true);
    });

    const size = 300_000;
    it.each([
      { name: 'absent', range: undefined, want: [0, size] },
      { name: 'empty message', range: { start: 0n }, want: [0, size] },
      { name: 'without length', range: { start: 299_990n }, want: [299_990, size] },
      { name: 'inside', range: { start: 65_530n, length: 12n }, want: [65_530, 65_542] },
      { name: 'all', range: { start: 0n, length: BigInt(size) }, want: [0, size] },
      { name: 'of length 0', range: { start: 5n, length: 0n }, want: [5, 5] },
      { name: 'from the end', range: { start: BigInt(size) }, want: [size, size] },
    ])('range $name', async ({ range, want }) => {
      const blob = await caller().stored(freshBlob(size));
      expect((await caller().downloaded(blob, range)).equals(blob.bytes.subarray(want[0], want[1]))).toBe(true);
    });

    it.each([
      { name: 'start beyond the end', range: { start: 101n } },
      { name: 'length beyond the end', range: { start: 90n, length: 11n } },
      { name: 'an end beyond 64 bits', range: { start: 1n, length: (1n << 64n) - 1n } },
      { name: 'a start beyond 53 bits', range: { start: (1n << 64n) - 1n } },
    ])('Download refuses $name', async ({ range }) => {
      await expectCode(Code.InvalidArgument, caller().downloaded(await caller().stored(freshBlob(100)), range));
    });

    it('Download does not find unknown blobs, nor known ones of another size', async () => {
      const blob = await caller().stored(freshBlob(100));
      await expectCode(Code.NotFound, caller().downloaded(freshBlob(10)));
      await expectCode(Code.NotFound, caller().downloaded({ ...blob, message: { ...blob.message, sizeBytes: 99n } }));
    });

    it('Download refuses malformed digests', async () => {
      const blob = freshBlob(8);
      await expectCode(Code.InvalidArgument, collect(caller().transport.download({})));
      await expectCode(Code.InvalidArgument, collect(caller().transport.download({ metadata: {} })));
      for (const message of [
        { sizeBytes: 1n, blake3: new Uint8Array(33) },
        { sizeBytes: 1n << 60n, blake3: new Uint8Array(32) },
      ]) {
        await expectCode(Code.InvalidArgument, caller().downloaded({ ...blob, message }));
      }
    });

    const wrong = freshBlob(1000);
    it.each([
      { name: 'no message', messages: [], code: Code.FailedPrecondition },
      { name: 'a chunk first', messages: [chunkMessage(wrong.bytes)], code: Code.FailedPrecondition },
      { name: 'no digest', messages: [metadataMessage(undefined)], code: Code.InvalidArgument },
      {
        name: 'a malformed digest',
        messages: [metadataMessage({ sizeBytes: 1n, blake3: new Uint8Array(1) })],
        code: Code.InvalidArgument,
      },
      {
        name: 'a second metadata',
        messages: [metadataMessage(wrong.message), metadataMessage(wrong.message)],
        code: Code.InvalidArgument,
      },
      {
        name: 'an empty payload',
        messages: [metadataMessage(wrong.message), { payload: { case: undefined } } as const],
        code: Code.InvalidArgument,
      },
      {
        name: 'other bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(new Uint8Array(1000))],
        code: Code.InvalidArgument,
      },
      {
        name: 'too few bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(wrong.bytes.subarray(1))],
        code: Code.InvalidArgument,
      },
      {
        name: 'too many bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(wrong.bytes), chunkMessage(new Uint8Array(1))],
        code: Code.InvalidArgument,
      },
      {
        name: 'a range that is not the whole',
        messages: [metadataMessage(wrong.message, { start: 0n, length: 999n }), chunkMessage(wrong.bytes)],
        code: Code.InvalidArgument,
      },
      {
        name: 'a range that starts inside',
        messages: [metadataMessage(wrong.message, { start: 1n }), chunkMessage(wrong.bytes)],
        code: Code.InvalidArgument,
      },
    ])('Upload of $name is refused and stores nothing', async ({ messages, code }) => {
      await expectCode(code, caller().transport.upload(sequence(messages)));
      expect(await caller().missing(wrong)).toHaveLength(1);
    });

    it('Upload takes the whole blob as a range, and chunks of no bytes', async () => {
      const blob = freshBlob(100);
      const messages = [
        metadataMessage(blob.message, { start: 0n, length: 100n }),
        chunkMessage(new Uint8Array(0)),
        chunkMessage(blob.bytes),
        chunkMessage(new Uint8Array(0)),
      ];
      expect((await caller().transport.upload(sequence(messages))).committedSize).toBe(100n);
      expect(await caller().missing(blob)).toEqual([]);
    });

    it('Upload of a known hash with another size is refused', async () => {
      const blob = await caller().stored(freshBlob(100));
      const messages = [metadataMessage({ ...blob.message, sizeBytes: 101n }), chunkMessage(blob.bytes)];
      await expectCode(Code.InvalidArgument, caller().transport.upload(sequence(messages)));
    });

    it('Upload of a stored blob is answered before its chunks; the empty blob succeeds again', async () => {
      const blob = await caller().stored(freshBlob(3_000_000));
      await expectCode(Code.AlreadyExists, caller().transport.upload(uploadMessages(blob)));
      const empty = namedBlob(new Uint8Array(0));
      for (let i = 0; i < 2; i++) {
        expect((await caller().transport.upload(uploadMessages(empty))).committedSize).toBe(0n);
      }
      // The connection is still good.
      expect(await caller().missing(blob)).toEqual([]);
    });

    it('two uploads of one blob at once both succeed, or the later is told that it exists', async () => {
      const blob = freshBlob(500_000);
      const outcomes = await Promise.allSettled([1, 2].map(() => caller().transport.upload(uploadMessages(blob))));
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(ConnectError.from(outcome.reason).code).toBe(Code.AlreadyExists);
      }
      expect((await caller().downloaded(blob)).equals(blob.bytes)).toBe(true);
    });
  });
}
