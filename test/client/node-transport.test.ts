// What the client's HTTP/2 sessions say to a server, seen from a bare one.

import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type ClientTransport, openNodeTransport } from '../../src/client/node-transport.js';
import { DownloadResponseSchema, Transport } from '../../src/gen/zako/v1/transport/transport_pb.js';

let server: Http2Server;
let sessions: ServerHttp2Session[];
let connection: ClientTransport;
/** What every call is answered with. */
let answer: Buffer;

beforeEach(async () => {
  sessions = [];
  answer = Buffer.alloc(0);
  server = createServer();
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  connection = openNodeTransport(`http://127.0.0.1:${(server.address() as AddressInfo).port}/some/path`);
});

afterEach(async () => {
  connection.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

async function call(signal?: AbortSignal): Promise<void> {
  for await (const _ of createClient(Transport, connection.transport).download({}, signal && { signal }));
}

describe('openNodeTransport', () => {
  it('opens the window of the session and takes large frames, on every session', async () => {
    let ends = 0;
    connection.onSessionEnd(() => {
      ends++;
    });
    for (const round of [1, 2]) {
      await call();
      await call();
      expect(sessions).toHaveLength(round);
      const session = sessions.at(-1)!;
      expect(session.remoteSettings).toMatchObject({
        initialWindowSize: limits.clientFirstStreamWindowBytes,
        maxFrameSize: limits.clientFrameBytesMax,
      });
      await expect
        .poll(() => session.state.remoteWindowSize, { timeout: 10_000 })
        .toBe(limits.clientSessionWindowBytes);
      session.destroy();
      await expect.poll(() => ends, { timeout: 10_000 }).toBe(round);
    }
  });

  it('widens the windows of streams once one of them has brought much', async () => {
    const message = toBinary(DownloadResponseSchema, create(DownloadResponseSchema, { data: new Uint8Array(1 << 20) }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    answer = Buffer.concat([head, message]);
    await call();
    await expect
      .poll(() => sessions[0]!.remoteSettings.initialWindowSize, { timeout: 10_000 })
      .toBe(limits.clientStreamWindowBytes);
  });

  it('lets many calls share one signal in silence', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, () => call(signal)));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
