import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { SocketReader } from '../../../src/api/tcp/socket-reader.js';
import { errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { ManualClock } from '../../support/manual-clock.js';
import { randomSplit, seededRandom, testSeed } from '../../support/random.js';

function setUp() {
  const clock = new ManualClock();
  const stream = new PassThrough();
  return { clock, stream, reader: new SocketReader(stream, clock) };
}

/** Lets promises and stream events that are due happen. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const { lmofIdleMillisecondsMax: idle, lmofProgressMillisecondsMax: patience, lmofProgressBytesMin } = limits;

it('reads what is asked for, however it was cut', async () => {
  const random = seededRandom(testSeed('reader'));
  const bytes = random.bytes(300_000);
  const { stream, reader, clock } = setUp();
  void (async () => {
    for (const piece of randomSplit(random, bytes, 10_000)) {
      if (piece.length > 0 && !stream.write(piece)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  })();
  const got: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(random.between(1, 20_000), bytes.length - at);
    const read = await reader.read(length, idle);
    if (!Buffer.isBuffer(read)) throw new Error(`${read}`);
    expect(read.length).toBe(length);
    got.push(read);
    at += length;
  }
  expect(Buffer.concat(got).equals(bytes)).toBe(true);
  expect(await reader.read(1, idle)).toBeUndefined();
  expect(clock.waiting).toBe(0);
});

it('tells silence from an end', async () => {
  const { clock, stream, reader } = setUp();
  const silent = reader.read(24, idle);
  clock.advance(idle);
  expect(await silent).toBe('idle');
  stream.write('x');
  const late = reader.read(24, idle);
  await turn();
  stream.end();
  await expect(late.catch(errorCode)).resolves.toBe('canceled');
});

it('gives up a peer that stops inside a message, and one that goes on too slowly', async () => {
  const { clock, stream, reader } = setUp();
  stream.write('x');
  const stopped = reader.read(24, idle).catch(errorCode);
  await turn();
  clock.advance(patience);
  expect(await stopped).toBe('timeout');

  let outcome: unknown;
  void (async () => {
    for await (const _piece of reader.pieces(10 * lmofProgressBytesMin));
  })().catch((error: unknown) => {
    outcome = errorCode(error);
  });
  // Twice the pace that is asked for, then half of it.
  for (let step = 0; step < 8; step++) {
    stream.write(Buffer.alloc(lmofProgressBytesMin / 2));
    await turn();
    clock.advance(patience / 4);
    await turn();
    expect(outcome).toBeUndefined();
  }
  for (let step = 0; step < 4; step++) {
    stream.write(Buffer.alloc(lmofProgressBytesMin / 8));
    await turn();
    clock.advance(patience / 3);
    await turn();
  }
  expect(outcome).toBe('timeout');
});

it('stops between messages, not inside one', async () => {
  const { stream, reader } = setUp();
  const waiting = reader.read(4, idle);
  reader.stop();
  expect(await waiting).toBeUndefined();
  stream.write('ab');
  const begun = reader.read(4, idle);
  await turn();
  stream.write('cd');
  expect(`${await begun}`).toBe('abcd');
});
