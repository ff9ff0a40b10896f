import { once } from 'node:events';
import { request as http1Request } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashHex } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { type ListenAddress, serverConfig } from '../../src/server/config.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { ask } from '../support/http-client.js';
import { seededRandom } from '../support/random.js';
import { serve, WatchedStore } from '../support/served.js';

const blob = seededRandom(3).bytes(24 << 20);
const path = `/blobs/${hashHex(digestBlob(blob).hash)}`;

let store: WatchedStore;
let running: RunningServer | undefined;

beforeEach(async () => {
  store = new WatchedStore();
  await store.write(blob);
});
afterEach(async () => {
  await running?.close();
  running = undefined;
});

const loopback = (face: ListenAddress['face'] = 'all', host = '127.0.0.1'): ListenAddress => ({ face, host, port: 0 });

async function start(listen: readonly ListenAddress[], settings = {}): Promise<string[]> {
  running = await startServer(serverConfig({ listen, store, logLevel: 'silent', drainMilliseconds: 0, ...settings }));
  return running.listeners.map(({ url }) => url);
}

describe('listening', () => {
  it('on several addresses, each with its face', async () => {
    const urls = await start([loopback(), loopback('grpc'), loopback('http'), loopback('all', '::1')]);
    expect(running?.listeners.map(({ face }) => face)).toEqual(['all', 'grpc', 'http', 'all']);
    expect(urls[3]).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const call = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
      body: Buffer.from('{}'),
    };
    const statuses = await Promise.all(
      urls.map(async (url) => [
        (await ask('h1', `${url}/healthz`)).status,
        (await ask('h1', url + path, { method: 'HEAD' })).status,
        (await ask('h2', `${url}/cairn.v1.BlobService/Stat`, call)).status,
        (await ask('h1', `${url}/none`)).status,
      ]),
    );
    expect(statuses).toEqual([
      [200, 200, 200, 404],
      [404, 404, 200, 404],
      [200, 200, 404, 404],
      [200, 200, 200, 404],
    ]);
  });

  it.each([
    { host: '0.0.0.0', insecure: false, want: 'failed_precondition' },
    { host: '::', insecure: false, want: 'failed_precondition' },
    { host: '0.0.0.0', insecure: true, want: 'listens' },
    { host: 'localhost', insecure: false, want: 'listens' },
    { host: '127.0.0.2', insecure: false, want: 'listens' },
  ])('on $host, insecure: $insecure', async ({ host, insecure, want }) => {
    const outcome = await start([loopback('all', host)], { insecure }).then(() => 'listens', errorCode);
    expect(outcome).toBe(want);
  });

  it('on a taken port fails, and leaves nothing open', async () => {
    const other = await serve(new WatchedStore());
    const listen = [loopback(), { face: 'all' as const, host: '127.0.0.1', port: other.port }];
    expect(await start(listen).then(() => 'listens', errorCode)).toBe('unavailable');
    await expect(store.stat([])).rejects.toMatchObject({ code: 'unavailable' });
    await other.server.close();
  });
});

describe('draining', () => {
  it.each(['h1', 'h2'] as const)('lets a slow %s download end and refuses newcomers', async (version) => {
    const [url] = (await start([loopback()], { drainMilliseconds: 20_000 })) as [string];
    const download = await slowDownload(version, url);
    const closing = running?.close();
    await expect.poll(() => refuses(url)).toBe(true);
    expect(store.openHandles).toBe(1);
    expect((await download.rest()).equals(blob)).toBe(true);
    await closing;
    expect(store.openHandles).toBe(0);
  });

  it.each(['h1', 'h2'] as const)('breaks a %s download off when its time is over', async (version) => {
    const [url] = (await start([loopback()], { drainMilliseconds: 200 })) as [string];
    const download = await slowDownload(version, url);
    await running?.close();
    expect(store.openHandles).toBe(0);
    expect((await download.rest()).length).toBeLessThan(blob.length);
  });

  it('an upload under way is stored before the store closes', async () => {
    const [url] = (await start([loopback()], { drainMilliseconds: 20_000 })) as [string];
    const request = http1Request(`${url}/blobs`, { method: 'POST', agent: false });
    await new Promise((resolve) => request.write('first half, ', resolve));
    await expect.poll(() => store.writesBegun).toBe(2);
    const closing = running?.close();
    await expect.poll(() => refuses(url)).toBe(true);
    request.end('second half');
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(201);
    response.resume();
    await closing;
  });

  it('tells HTTP/1.1 clients that their connection ends', async () => {
    const [url] = (await start([loopback()], { drainMilliseconds: 20_000 })) as [string];
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let heard = '';
    socket.on('data', (piece) => {
      heard += piece;
    });
    socket.write('POST /blobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n1');
    await expect.poll(() => store.writesBegun).toBe(2);
    const closing = running?.close();
    await expect.poll(() => refuses(url)).toBe(true);
    socket.write('2GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'close');
    await closing;
    expect(heard).toMatch(/^HTTP\/1.1 201 .*\nHTTP\/1.1 503 .*Connection: close\r\n.*draining/is);
  });

  it('idle connections do not hold it up, and closing twice is closing once', async () => {
    const [url] = (await start([loopback()], { drainMilliseconds: 20_000 })) as [string];
    const idle = connect(Number(new URL(url).port), '127.0.0.1');
    const session = http2Connect(url);
    session.on('error', () => {});
    await Promise.all([once(idle, 'connect'), once(session, 'connect')]);
    idle.resume();
    const started = performance.now();
    await Promise.all([running?.close(), running?.close()]);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

async function slowDownload(version: 'h1' | 'h2', url: string): Promise<{ rest(): Promise<Buffer> }> {
  const session = version === 'h2' ? http2Connect(url) : undefined;
  session?.on('error', () => {});
  const request = session?.request({ ':path': path }) ?? http1Request(url + path, { agent: false }).end();
  request.on('error', () => {});
  const [response] = await once(request, 'response');
  const body = session === undefined ? response : request;
  body.on('error', () => {});
  return {
    rest: async () => {
      const pieces: Buffer[] = [];
      try {
        for await (const piece of body) pieces.push(piece);
      } catch {
        // Broken off: what came until then is the answer.
      }
      session?.close();
      return Buffer.concat(pieces);
    },
  };
}

function refuses(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}
