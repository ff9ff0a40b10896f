import { Code } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import type { NodeRequest } from '../../../src/api/request-listener.js';
import { RequestBody } from '../../../src/api/rpc/request-body.js';
import { type Clock, systemClock } from '../../../src/base/clock.js';
import { collect, sequence } from '../../conformance/wire-blobs.js';

const http1 = {} as NodeRequest;
const pieces = [new Uint8Array(3), new Uint8Array(4)];

/** A clock whose one timer goes off when the test says so. */
function heldClock() {
  const held = { goOff: () => {}, canceledCount: 0 };
  const after: Clock['after'] = (_, callback) => {
    held.goOff = callback;
    return () => void held.canceledCount++;
  };
  return { held, clock: { ...systemClock, after } };
}

describe('RequestBody', () => {
  it('counts what it hands out', async () => {
    const body = new RequestBody({ request: http1, source: sequence(pieces) });
    expect(await collect(body)).toEqual(pieces);
    expect(body.bytes).toBe(7);
  });

  it.each([
    { name: 'with a code', stream: { rstCode: 8, aborted: false } },
    { name: 'without one', stream: { rstCode: 0, aborted: true } },
  ])('fails when the request was reset $name, though it seems complete', async ({ stream }) => {
    const body = new RequestBody({ request: { stream } as unknown as NodeRequest, source: sequence(pieces) });
    await expect(collect(body)).rejects.toMatchObject({ code: Code.Canceled });
  });

  it('fails with canceled when the connection broke', async () => {
    const broken = (async function* () {
      yield pieces[0]!;
      throw new Error('ECONNRESET');
    })();
    await expect(collect(new RequestBody({ request: http1, source: broken }))).rejects.toMatchObject({
      code: Code.Canceled,
    });
  });

  it('leaves the rest alone when a reader ends early, and drains it later', async () => {
    let ended = false;
    const source = (async function* () {
      try {
        yield* pieces;
      } finally {
        ended = true;
      }
    })();
    const body = new RequestBody({ request: http1, source });
    for await (const _ of body) break;
    expect([ended, body.bytes]).toEqual([false, 3]);
    const { held, clock } = heldClock();
    await body.drain(clock, 1000, () => expect.unreachable());
    expect([ended, body.bytes, held.canceledCount]).toEqual([true, 7, 1]);
  });

  it('gives up draining after a time', async () => {
    let sent = 0;
    const endless = (async function* () {
      while (true) {
        sent++;
        await new Promise((resolve) => setImmediate(resolve));
        yield pieces[0]!;
      }
    })();
    const body = new RequestBody({ request: http1, source: endless });
    for await (const _ of body) break;
    const { held, clock } = heldClock();
    let gaveUpCount = 0;
    const drained = body.drain(clock, 1000, () => gaveUpCount++);
    held.goOff();
    await drained;
    expect(gaveUpCount).toBe(1);
    expect(sent).toBeLessThan(10);
  });
});
