// Clients that stall, or go on sending after they were answered, under a clock that runs a thousand times as fast.

import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGate } from '../../../src/api/auth/gate.js';
import type { Call } from '../../../src/api/call-log.js';
import { httpFace } from '../../../src/api/http/http-handler.js';
import { createMetrics } from '../../../src/api/http/metrics.js';
import { createPort, type Port } from '../../../src/api/port.js';
import { type Clock, systemClock } from '../../../src/base/clock.js';
import { hashHex } from '../../../src/base/digest.js';
import { systemRandom } from '../../../src/base/random.js';
import { ask } from '../../support/http-client.js';
import { WatchedStore } from '../../support/served.js';
import { streamMemory } from '../../support/stream-memory.js';

const fastClock: Clock = {
  ...systemClock,
  after: (milliseconds, callback) => systemClock.after(milliseconds / 1000, callback),
};

let store: WatchedStore;
let port: Port;
let number: number;
let calls: Call[];

beforeEach(async () => {
  store = new WatchedStore();
  const ours: Call[] = [];
  calls = ours;
  const face = httpFace({
    store,
    gate: openGate,
    ...streamMemory({ clock: fastClock }),
    random: systemRandom,
    logger: { error: () => {}, warn: () => {} },
    metrics: createMetrics({ connections: () => 0 }),
    serving: { status: 'serving' },
    nextCallId: () => 'id',
    onCall: (call) => ours.push(call),
  });
  port = createPort({ handler: face.handler, clock: systemClock });
  ({ port: number } = await port.listen({ host: '127.0.0.1', port: 0 }));
});
afterEach(async () => {
  port.drain();
  port.destroy();
  await port.closed();
});

interface Visit {
  /** What was heard so far. */
  heard(): string;
  /** Resolves when the server has ended the connection or stream. */
  readonly closed: Promise<void>;
  leave(): void;
}

/** Sends a request with the beginning of a body, and reads what comes, or nothing. */
function visit(version: 'h1' | 'h2', method: string, path: string, body: Uint8Array, reads: boolean): Visit {
  let heard = '';
  const hear = (piece: Buffer) => {
    heard += piece;
  };
  if (version === 'h1') {
    const socket = connect(number, '127.0.0.1');
    const length = method === 'GET' ? '' : `content-length: ${body.length + 1}\r\n`;
    socket.write(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${length}\r\n`);
    socket.write(body);
    socket.on('error', () => {});
    if (reads) socket.on('data', hear);
    return { heard: () => heard, closed: closeOf(socket), leave: () => socket.destroy() };
  }
  const session = http2Connect(`http://127.0.0.1:${number}`);
  const stream = session.request({ ':method': method, ':path': path }, { endStream: method === 'GET' });
  if (method !== 'GET') stream.write(body);
  stream.on('error', () => {});
  stream.on('response', (headers) => {
    heard += ` ${headers[':status']} `;
  });
  if (reads) stream.on('data', hear);
  return { heard: () => heard, closed: closeOf(stream), leave: () => session.destroy() };
}

function closeOf(connection: { on(event: 'close', listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    connection.on('close', resolve);
  });
}

describe.each(['h1', 'h2'] as const)('over %s', (version) => {
  it('an upload that stalls is given up, and stores nothing', async () => {
    const { closed, heard, leave } = visit(version, 'POST', '/blobs', Buffer.from('some bytes'), true);
    await closed;
    leave();
    expect(heard()).toContain(' 504 ');
    await expect.poll(() => calls).toMatchObject([{ method: 'POST /blobs', bytesIn: 10, code: 'timeout' }]);
    expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
  });

  it('a download that stalls is given up, and releases its blob', async () => {
    const { digest } = await store.write(new Uint8Array(32 << 20));
    const { leave } = visit(version, 'GET', `/blobs/${hashHex(digest.hash)}`, new Uint8Array(0), false);
    await expect.poll(() => calls, { timeout: 5000 }).toMatchObject([{ code: 'timeout' }]);
    expect(store.openHandles).toBe(0);
    leave();
  });

  it('a refused upload hears why before it is cut off', async () => {
    const { closed, heard, leave } = visit(version, 'PUT', '/blobs/xyz', new Uint8Array(1 << 16), true);
    await closed;
    leave();
    expect(heard()).toContain(' 400 ');
    expect(heard()).toContain('invalid_argument');
    expect(calls).toMatchObject([{ code: 'invalid_argument' }]);
  });

  it('records how a call ended', async () => {
    const { digest } = await store.write(new Uint8Array(32 << 20));
    const path = `/blobs/${hashHex(digest.hash)}`;
    await ask(version, `http://127.0.0.1:${number}${path}`);
    await expect.poll(() => calls).toMatchObject([{ code: 'ok', bytesOut: 32 << 20 }]);
    const { leave } = visit(version, 'GET', path, new Uint8Array(0), false);
    await expect.poll(() => store.openHandles).toBe(1);
    leave();
    await expect.poll(() => calls).toMatchObject([{ code: 'ok' }, { code: 'canceled' }]);
  });
});

it('a small download that its client has no window for is given up, too', async () => {
  const { digest } = await store.write(new Uint8Array(1000));
  const session = http2Connect(`http://127.0.0.1:${number}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  const stream = session.request({ ':path': `/blobs/${hashHex(digest.hash)}` });
  stream.on('error', () => {});
  await expect.poll(() => calls, { timeout: 5000 }).toMatchObject([{ code: 'timeout' }]);
  expect(store.openHandles).toBe(0);
  session.destroy();
});
