import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { FrameWriter } from '../../src/base/message-frame.js';
import { GrpcSession } from '../../src/client/grpc-session.js';

const { clientFirstStreamWindowBytes: small, clientStreamWindowBytes: wide } = limits;
let server: Http2Server;
let session: GrpcSession;
/** Window sizes that the client has announced. */
let windows: (number | undefined)[];

beforeEach(async () => {
  windows = [];
  server = createServer();
  server.on('session', (opened) => {
    opened.on('remoteSettings', ({ initialWindowSize }) => void windows.push(initialWindowSize));
    opened.on('error', () => {});
  });
  server.on('stream', (stream, { ':path': path }) => {
    stream.resume();
    const writer = new FrameWriter(Number(path!.slice(1)));
    writer.at = writer.frame.length;
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(writer.finish());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  session = new GrpcSession(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, systemClock);
});

afterEach(async () => {
  session.close();
  await new Promise((resolve) => server.close(resolve));
});

it('starts with small windows, and widens them when much was read', async () => {
  expect(await session.call('/1000', new Uint8Array(5))).toHaveLength(1000);
  expect(windows).toEqual([small]);
  expect(await session.call('/3000000', new Uint8Array(5))).toHaveLength(3_000_000);
  await vi.waitFor(() => expect(windows).toEqual([small, wide]));
});
