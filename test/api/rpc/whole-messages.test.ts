import { describe, expect, it } from 'vitest';
import { encodeEnvelope } from '../../../src/api/rpc/lane/envelope.js';
import { wholeBody, wholeMessages } from '../../../src/api/rpc/whole-messages.js';
import { limits } from '../../../src/base/limits.js';
import { randomSplit, seededRandom, testSeed } from '../../support/random.js';

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(Uint8Array.from(piece));
  return all;
}

/** Counts what is held, now and at most. */
function counter() {
  const count = { held: 0, most: 0 };
  const take = (bytes: number) => {
    count.held += bytes;
    count.most = Math.max(count.most, count.held);
  };
  const give = (bytes: number) => {
    count.held -= bytes;
  };
  return { count, take, give };
}

const random = seededRandom(testSeed('whole-messages'));

describe('wholeMessages', () => {
  it('hands out an envelope a piece, however they come, and counts the long ones', async () => {
    for (let round = 0; round < 100; round++) {
      const envelopes = Array.from({ length: random.below(5) }, () =>
        Uint8Array.from(encodeEnvelope(random.below(256), random.bytes(random.pick([0, 1, 300, 20_000, 40_000])))),
      );
      const split = randomSplit(random, Buffer.concat(envelopes), random.pick([1, 7, 1000, 30_000]));
      const { count, ...held } = counter();
      expect(await collect(wholeMessages(each([...split]), held))).toEqual(envelopes);
      const longest = Math.max(0, ...envelopes.map(({ length }) => length - 5));
      expect(count).toEqual({ held: 0, most: longest > limits.laneHeldBytesMax ? longest : 0 });
    }
  });

  it.each([1, 4, 5, 100])('leaves what is cut off after %i bytes to be missed', async (bytes) => {
    const cut = encodeEnvelope(0, new Uint8Array(200)).subarray(0, bytes);
    const got = await collect(wholeMessages(each([encodeEnvelope(0, new Uint8Array(1)), cut]), counter()));
    expect(got.length).toBe(2);
    expect(got[1]!.length).toBeLessThanOrEqual(bytes);
  });

  it('refuses a message that is too long at its head', async () => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(limits.requestMessageBytesMax + 1, 1);
    await expect(collect(wholeMessages(each([head]), counter()))).rejects.toThrow('larger than');
  });
});

describe('wholeBody', () => {
  it('is one piece', async () => {
    const bytes = Uint8Array.from(random.bytes(50_000));
    const split = [...randomSplit(random, Buffer.from(bytes), 100)];
    expect(await collect(wholeBody(each(split)))).toEqual([bytes]);
    expect(await collect(wholeBody(each([])))).toEqual([]);
  });

  it('that is too long is handed out, for others to refuse', async () => {
    const pieces = Array.from({ length: 20 }, () => new Uint8Array(1 << 20));
    const got = await collect(wholeBody(each(pieces)));
    expect(got.length).toBeGreaterThan(1);
    expect(got.reduce((sum, { length }) => sum + length, 0)).toBe(20 << 20);
  });
});
