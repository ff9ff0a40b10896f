// The client of files against a real server, and against servers that fail as servers do.

import { createServer, get, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/base/clock.js';
import { errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { FileClient, type FileClientOptions } from '../../../src/client/files/file-client.js';
import { seededRandom } from '../../support/random.js';
import { type Served, serve } from '../../support/served.js';

/** Waits are noted and cut short. */
class HastyClock implements Clock {
  readonly waits: number[] = [];
  now = () => systemClock.now();
  monotonic = () => systemClock.monotonic();
  after(milliseconds: number, callback: () => void): () => void {
    this.waits.push(milliseconds);
    return systemClock.after(1, callback);
  }
}

let served: Served;
let clients: FileClient[];
let fakes: Server[];
let clock: HastyClock;

beforeEach(async () => {
  served = await serve(new MemoryStore());
  clients = [];
  fakes = [];
  clock = new HastyClock();
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const fake of fakes) fake.close();
  await served.server.close();
});

function client(options: Partial<FileClientOptions> = {}): FileClient {
  const made = new FileClient({ addresses: [served.url], ...options }, clock);
  clients.push(made);
  return made;
}

async function fake(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  fakes.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** How many bytes travel. */
function fetchRaw(url: string, acceptEncoding = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': acceptEncoding } }, (answer) => {
      let length = 0;
      answer.on('data', (piece: Buffer) => {
        length += piece.length;
      });
      answer.on('end', () => resolve(length));
    }).on('error', reject);
  });
}

const bytes = (size: number) => Buffer.from(seededRandom(size).bytes(size));

describe('files', () => {
  it.each([false, true])('come back as they were, compressed: %s', async (compression) => {
    const files = client({ compression });
    for (const content of [
      Buffer.alloc(0),
      Buffer.from('Hello LumeoFS'),
      bytes(1_000_000),
      Buffer.alloc(2_000_000, 'a'),
    ]) {
      const stored = await files.upload(`of ${content.length} "bytes"\\`, content, { contentType: 'text/plain' });
      expect(stored).toMatchObject({ file_size: content.length, version: 1 });
      expect((await files.download(stored.file_id)).equals(content)).toBe(true);
      const part = await files.download(stored.file_id, { start: content.length >> 1, length: content.length >> 2 });
      expect(part.equals(content.subarray(content.length >> 1, (content.length >> 1) + (content.length >> 2)))).toBe(
        true,
      );
      expect(await files.info(stored.file_id)).toMatchObject({ content_type: 'text/plain', file_size: content.length });
    }
  });

  it('are sent in parts, as they come', async () => {
    const files = client();
    const content = bytes(limits.filePartBytes * 2 + 12_345);
    const progress: number[] = [];
    const pieces = Array.from({ length: Math.ceil(content.length / 700_000) }, (_, i) =>
      content.subarray(i * 700_000, (i + 1) * 700_000),
    );
    const stored = await files.uploadStream('large', content.length, pieces, {
      onProgress: (sent) => progress.push(sent),
    });
    expect(progress).toEqual([limits.filePartBytes, 2 * limits.filePartBytes, content.length]);
    expect((await files.download(stored.file_id)).equals(content)).toBe(true);
  });

  it('have versions, names and an end', async () => {
    const files = client();
    const { file_id } = await files.upload('name', Buffer.from('one'));
    await files.upload('name', Buffer.from('two'));
    await files.upload('name and more', Buffer.from('three'));
    expect(await files.find('name')).toMatchObject({ file_id, version: 2 });
    expect(await files.find('nam')).toBeUndefined();
    expect((await files.list({ prefix: 'name' })).total).toBe(2);
    expect((await files.versions(file_id)).versions.map(({ version }) => version)).toEqual([2, 1]);
    expect(`${await files.download(file_id, { version: 1 })}`).toBe('one');
    expect(await files.restore(file_id, 1)).toMatchObject({ version: 3 });
    expect(`${await files.download(file_id)}`).toBe('one');
    expect(await files.upload('name', Buffer.from('x'), { ifExists: 'fail' }).catch(errorCode)).toBe('already_exists');
    await files.delete(file_id);
    expect(await files.info(file_id).catch(errorCode)).toBe('not_found');
    expect(await files.download(file_id).catch(errorCode)).toBe('not_found');
  });

  it('are remembered as long as they have not changed', async () => {
    const mine = client({ enableCache: true, cacheSize: 2 });
    const others = client();
    const { file_id } = await mine.upload('name', Buffer.from('one'));
    const first = await mine.info(file_id);
    expect(await mine.info(file_id)).toBe(first);
    await others.upload('name', Buffer.from('two'));
    expect(await mine.info(file_id)).toMatchObject({ version: 2 });
    await mine.restore(file_id, 1);
    expect(await mine.info(file_id)).toMatchObject({ version: 3 });
  });
});

describe('what is remembered of a file', () => {
  const info = { file_id: 'f_000000000001', file_name: 'name', file_size: 3, version: 1 };
  /** Whether the client has asked for news of it alone, each time it has asked. */
  let askedForNews: boolean[];
  let files: FileClient;

  beforeEach(async () => {
    askedForNews = [];
    const address = await fake((request, response) => {
      request.resume();
      const { method, url } = request;
      if (method === 'GET') askedForNews.push(request.headers['if-none-match'] !== undefined);
      response.writeHead(200, { 'content-type': 'application/json', etag: '"1"' });
      const stored = { results: [{ file_name: 'name', data: info }] };
      request.on('end', () => response.end(JSON.stringify({ data: url?.includes('batch') ? stored : info })));
    });
    files = client({ addresses: [address], enableCache: true });
    await files.info(info.file_id);
    await files.info(info.file_id);
    expect(askedForNews).toEqual([false, true]);
  });

  it.each([
    { name: 'a batch', change: () => files.uploadBatch([{ name: 'name', content: bytes(3) }]) },
    { name: 'a deletion', change: () => files.delete(info.file_id) },
    { name: 'the return of an earlier version', change: () => files.restore(info.file_id, 1) },
  ])('is forgotten with $name', async ({ change }) => {
    await change();
    await files.info(info.file_id);
    expect(askedForNews).toEqual([false, true, false]);
  });
});

describe('a compressed download', () => {
  /** The first part of a long gzip body, and what becomes of its connection. */
  async function begun(): Promise<{ address: string; socket(): Socket; closed: Promise<void> }> {
    let socket: Socket | undefined;
    let onClosed = () => {};
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    const address = await fake((request, response) => {
      const body = gzipSync(bytes(1_000_000));
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length });
      response.write(body.subarray(0, 500_000));
      socket = request.socket.on('close', onClosed).on('error', () => {});
    });
    return { address, socket: () => socket!, closed };
  }

  it('is asked for so that the server compresses', async () => {
    const files = client({ compression: true });
    const { file_id } = await files.upload('plain', Buffer.alloc(100_000, 'a'));
    let bytesRead = 0;
    const proxied = await fake((request, response) => {
      void fetchRaw(served.url + request.url, request.headers['accept-encoding']).then((length) => {
        bytesRead = length;
        response.writeHead(404).end();
      });
    });
    await client({ addresses: [proxied], compression: true })
      .download(file_id)
      .catch(() => {});
    expect(bytesRead).toBeGreaterThan(0);
    expect(bytesRead).toBeLessThan(10_000);
  });

  it('that breaks off says so', async () => {
    const { address, socket } = await begun();
    const body = await client({ addresses: [address], compression: true }).downloadStream('f_000000000000');
    const reading = (async () => {
      for await (const _ of body) socket().destroy();
    })();
    await expect(reading).rejects.toThrow();
  });

  it('that nobody wants any more lets its connection go', async () => {
    const { address, closed } = await begun();
    const body = await client({ addresses: [address], compression: true }).downloadStream('f_000000000000');
    for await (const _ of body) break;
    await closed;
  });
});

describe('uploads', () => {
  it('are gone on with by another client', async () => {
    const content = bytes(100_000);
    const session = await client().createUploadSession('half', content.length);
    await session.uploadChunk(content.subarray(0, 60_000));
    const files = client();
    const [found] = await files.listUploadSessions();
    expect(found).toMatchObject({ fileName: 'half', fileSize: content.length, uploadedSize: 60_000 });
    const stored = await files.resume(found!, [content.subarray(60_000)]);
    expect((await files.download(stored.file_id)).equals(content)).toBe(true);
    expect(await files.listUploadSessions()).toEqual([]);
  });

  it('that are short are not completed, and can be given up', async () => {
    const files = client();
    const session = await files.createUploadSession('short', 10);
    await session.uploadChunk(Buffer.from('12345'));
    expect(await session.complete().catch(errorCode)).toBe('invalid_argument');
    await session.abort();
    expect(await session.refresh().catch(errorCode)).toBe('not_found');
  });
});

describe('a server that fails', () => {
  const busy: RequestListener = (_request, response) => {
    response.writeHead(503, { 'content-type': 'application/json' });
    response.end('{"code":3001,"message":"busy","error":"NETWORK_ERROR","details":{}}');
  };

  it('is asked again, with pauses that double, and no more often than told', async () => {
    let asked = 0;
    const address = await fake((request, response) => {
      asked++;
      busy(request, response);
    });
    const files = client({ addresses: [address], retryCount: 4, retryIntervalMilliseconds: 3000 });
    expect(await files.list().catch(errorCode)).toBe('unavailable');
    expect(asked).toBe(5);
    const pauses = clock.waits.filter((wait) => wait >= 1000);
    expect(pauses.length).toBe(4);
    for (const [i, most] of [3000, 6000, 10_000, 10_000].entries()) {
      expect(pauses[i]).toBeGreaterThanOrEqual(most / 2);
      expect(pauses[i]).toBeLessThanOrEqual(most);
    }
  });

  it('is left for the next address', async () => {
    const gone = await fake(busy);
    fakes.pop()?.close();
    const files = client({ addresses: [gone, await fake(busy), served.url] });
    const stored = await files.upload('a', Buffer.from('b'));
    expect(`${await files.download(stored.file_id)}`).toBe('b');
  });

  it('is not asked twice for what may not be done twice, or was refused', async () => {
    let asked = 0;
    const files = client({
      addresses: [
        await fake((request, response) => {
          asked++;
          busy(request, response);
        }),
      ],
    });
    expect(await files.delete('f_000000000000').catch(errorCode)).toBe('unavailable');
    expect(asked).toBe(1);
    expect(await client().info('f_000000000000').catch(errorCode)).toBe('not_found');
    expect(clock.waits.filter((wait) => wait >= 400)).toEqual([]);
  });

  it('that says nothing is given up', async () => {
    const files = client({ addresses: [await fake(() => {})], timeoutMilliseconds: 50, retryCount: 1 });
    expect(await files.list().catch(errorCode)).toBe('timeout');
  });

  it('is no server of ours', async () => {
    const files = client({ addresses: [await fake((_request, response) => response.writeHead(404).end('<html>'))] });
    expect(await files.list().catch(errorCode)).toBe('not_found');
    expect(() => client({ addresses: ['ftp://x'] })).toThrow();
    expect(() => client({ addresses: [] })).toThrow();
  });
});
