// Downloads whose client takes its time, or leaves.

import { once } from 'node:events';
import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashHex } from '../../../src/base/digest.js';
import { limits } from '../../../src/base/limits.js';
import { digestBlob } from '../../../src/blake3/hasher.js';
import { seededRandom } from '../../support/random.js';
import { type Served, serve, WatchedStore } from '../../support/served.js';

const blob = seededRandom(5).bytes(48 << 20);
const path = `/blobs/${hashHex(digestBlob(blob).hash)}`;

let store: WatchedStore;
let served: Served;
let bytesRead: number;
let largestRead: number;

beforeEach(async () => {
  store = new WatchedStore();
  await store.write(blob);
  bytesRead = 0;
  largestRead = 0;
  store.onRead = ({ start, end }) => {
    bytesRead += end - start;
    largestRead = Math.max(largestRead, end - start);
  };
  served = await serve(store);
});
afterEach(async () => {
  await served.server.close();
  expect(store.misuses).toBe(0);
});

interface Download {
  read(): Promise<Buffer>;
  leave(): void;
}

async function begin(version: 'h1' | 'h2'): Promise<Download> {
  if (version === 'h1') {
    const socket = connect(served.port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
    );
    await once(socket, 'readable');
    socket.on('error', () => {});
    return {
      leave: () => socket.destroy(),
      read: async () => {
        const pieces: Buffer[] = [];
        let length = 0;
        let head = -1;
        for await (const piece of socket) {
          pieces.push(piece);
          length += piece.length;
          if (head < 0) head = Buffer.concat(pieces).indexOf('\r\n\r\n') + 4;
          if (head > 3 && length >= head + blob.length) break;
        }
        return Buffer.concat(pieces).subarray(head);
      },
    };
  }
  const session = http2Connect(served.url);
  const stream = session.request({ ':path': path });
  stream.on('error', () => {});
  await once(stream, 'response');
  return {
    leave: () => stream.close(8),
    read: async () => {
      const pieces: Buffer[] = [];
      for await (const piece of stream) pieces.push(piece);
      session.close();
      return Buffer.concat(pieces);
    },
  };
}

/** Until the server has stopped reading for the client's sake. */
async function untilStuck(): Promise<void> {
  for (let before = -1; before !== bytesRead; ) {
    before = bytesRead;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe.each(['h1', 'h2'] as const)('downloads over %s', (version) => {
  it('read no further than the client takes, and one piece ahead', async () => {
    const download = await begin(version);
    await untilStuck();
    expect(bytesRead).toBeLessThan(blob.length);
    expect(store.openHandles).toBe(1);
    expect((await download.read()).equals(blob)).toBe(true);
    expect(largestRead).toBe(limits.readBytesMax);
    // A piece read ahead is read again when the machine took so long that the client seemed to have stopped.
    expect(bytesRead).toBeLessThanOrEqual(blob.length + 2 * limits.readBytesMax);
    await expect.poll(() => store.openHandles).toBe(0);
  });

  it('release the blob when the client leaves', async () => {
    const download = await begin(version);
    await untilStuck();
    expect(store.openHandles).toBe(1);
    download.leave();
    await expect.poll(() => store.openHandles).toBe(0);
    expect(bytesRead).toBeLessThan(blob.length);
  });

  it('release the blob when the client leaves during a read', async () => {
    let release = () => {};
    let reads = 0;
    store.beforeRead = () => {
      if (++reads < 2) return undefined;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    };
    const download = await begin(version);
    await expect.poll(() => reads).toBe(2);
    download.leave();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(store.openHandles).toBe(1);
    release();
    await expect.poll(() => store.openHandles).toBe(0);
    expect(reads).toBe(2);
  });
});
