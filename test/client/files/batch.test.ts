// Many files in one request, against a real server, and against servers that fail as servers do.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { FileClient, type FileClientOptions } from '../../../src/client/files/file-client.js';
import { seededRandom } from '../../support/random.js';
import { type Served, serve, WatchedStore } from '../../support/served.js';

let store: WatchedStore;
let served: Served;
let closing: { close(): unknown }[];

beforeEach(async () => {
  store = new WatchedStore();
  served = await serve(store);
  closing = [];
});

afterEach(async () => {
  for (const each of closing) each.close();
  await served.server.close();
});

function client(options: Partial<FileClientOptions> = {}): FileClient {
  const made = new FileClient({ addresses: [served.url], ...options });
  closing.push(made);
  return made;
}

async function fake(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  closing.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function unusedAddress(): Promise<string> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

const bytes = (size: number) => Buffer.from(seededRandom(size).bytes(size));

async function contentOf(pieces: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces!) all.push(piece);
  return Buffer.concat(all);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function* inPieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

describe('a batch', () => {
  it('comes back as it went', async () => {
    const files = client();
    const contents = [Buffer.alloc(0), Buffer.from('\r\n--'), bytes(3_000_000), bytes(70_000)];
    const uploaded = await files.uploadBatch([
      { name: 'empty', content: contents[0]! },
      { name: 'short', content: contents[1]!, contentType: 'text/plain' },
      { name: 'long', content: inPieces(contents[2]!, 100_000) },
      { name: 'list', content: [contents[3]!.subarray(0, 10), contents[3]!.subarray(10)] },
    ]);
    expect(uploaded.map(({ fileName, error }) => [fileName, error])).toEqual(
      ['empty', 'short', 'long', 'list'].map((name) => [name, undefined]),
    );
    expect(await files.info(uploaded[1]!.stored!.file_id)).toMatchObject({ content_type: 'text/plain' });
    const ids = uploaded.map(({ stored }) => stored!.file_id);
    let i = 0;
    for await (const { fileId, content, ...rest } of files.downloadBatch(ids)) {
      expect([fileId, rest]).toEqual([
        ids[i],
        { fileName: uploaded[i]!.fileName, fileSize: contents[i]!.length, error: undefined },
      ]);
      expect((await contentOf(content)).equals(contents[i]!)).toBe(true);
      i++;
    }
    expect(i).toBe(4);
  });

  it('keeps names as they are', async () => {
    const names = [
      '"',
      '\\',
      '\\"',
      'a;b',
      "a'b",
      'a%22b',
      ' a ',
      '文件',
      'é',
      'a\tb\x7f',
      '\t',
      '=',
      'x*',
      '../a',
      'C:\\a',
    ];
    const files = client();
    const uploaded = await files.uploadBatch(names.map((name) => ({ name, content: Buffer.from(name) })));
    expect(uploaded.map(({ stored }) => stored?.file_name)).toEqual(names);
    const ids = uploaded.map(({ stored }) => stored!.file_id);
    const downloaded: string[] = [];
    for await (const { content, ...rest } of files.downloadBatch(ids)) {
      downloaded.push(`${await contentOf(content)}`);
      // What comes before a slash is left out, for who saves the file.
      expect(rest).toMatchObject({ fileName: basename(downloaded.at(-1)!) });
    }
    expect(downloaded).toEqual(names);
  });

  it('says of each file why it is not stored', async () => {
    const files = client({ enableCache: true });
    const { file_id } = await files.upload('taken', Buffer.from('x'));
    await files.info(file_id);
    const batch = ['new', 'taken', '', 'newer'].map((name) => ({ name, content: bytes(100_000) }));
    const strict = await files.uploadBatch(batch, { ifExists: 'fail' });
    expect(strict.map(({ fileName, error }) => [fileName, error?.code])).toEqual([
      ['new', undefined],
      ['taken', 'already_exists'],
      ['', 'invalid_argument'],
      ['newer', undefined],
    ]);
    // Without that it is a new version, and what was known of the file is forgotten.
    expect((await files.uploadBatch(batch.slice(1, 2)))[0]).toMatchObject({ stored: { file_id, version: 2 } });
    expect(await files.info(file_id)).toMatchObject({ version: 2 });
  });

  it('says of each file why it cannot be had', async () => {
    const files = client();
    const stored = await files.upload('whole', Buffer.from('whole'));
    const damaged = await files.upload('damaged', Buffer.from('damaged'));
    await fetch(`${served.url}/blobs/${damaged.chunks[0]!.digest.slice(7)}`, { method: 'DELETE' });
    const found: unknown[] = [];
    for await (const { fileId, content, error } of files.downloadBatch([
      'f_none',
      stored.file_id,
      damaged.file_id,
      stored.file_id,
    ])) {
      found.push(error === undefined ? `${await contentOf(content)}` : [error.code, error.subject?.id, fileId]);
    }
    expect(found).toEqual([
      ['not_found', 'f_none', 'f_none'],
      'whole',
      ['storage', damaged.chunks[0]!.chunk_id, damaged.file_id],
      'whole',
    ]);
  });

  it('of nothing, or of too much, is none', async () => {
    const files = client({ addresses: [await unusedAddress()] });
    expect(await files.uploadBatch([])).toEqual([]);
    expect(await files.downloadBatch([]).next()).toMatchObject({ done: true });
    const many = Array.from({ length: limits.batchFilesCountMax + 1 }, () => ({ name: 'x', content: bytes(1) }));
    expect(await files.uploadBatch(many).catch(errorCode)).toBe('too_large');
    const ids = many.map(() => 'f_none');
    expect(await files.downloadBatch(ids).next().catch(errorCode)).toBe('too_large');
    for (const unwritable of [{ name: '\ud800' }, { name: 'a\nb' }, { name: 'x', contentType: 'text/plain\r\nX: y' }]) {
      const batch = [{ content: bytes(1), ...unwritable }];
      expect(await files.uploadBatch(batch).catch(errorCode)).toBe('invalid_argument');
    }
  });
});

describe('a batch upload', () => {
  it('fails as its source does, and keeps what was whole', async () => {
    let returned = false;
    async function* failing() {
      try {
        yield bytes(100_000);
        throw new Error('no more');
      } finally {
        returned = true;
      }
    }
    const files = client();
    const batch = [
      { name: 'before', content: bytes(300_000) },
      { name: 'failing', content: failing() },
      { name: 'behind', content: bytes(10) },
    ];
    expect(await files.uploadBatch(batch).catch(errorCode)).toBe('failed_precondition');
    expect(returned).toBe(true);
    await until(async () => (await files.find('before')) !== undefined);
    expect(await files.find('failing')).toBeUndefined();
    expect(await files.find('behind')).toBeUndefined();
  });

  it('can be given up, and lets go of its source', async () => {
    const abort = new AbortController();
    let returned = false;
    async function* endless() {
      try {
        for (let i = 0; ; i++) {
          yield bytes(50_000);
          if (i === 10) abort.abort();
        }
      } finally {
        returned = true;
      }
    }
    const files = client();
    const batch = [{ name: 'endless', content: endless() }];
    expect(await files.uploadBatch(batch, { signal: abort.signal }).catch(errorCode)).toBe('canceled');
    await until(() => returned);
    expect(await files.find('endless')).toBeUndefined();
  });

  it('is sent to the next address when nobody has heard of it, streams too, and otherwise only once', async () => {
    const files = client({ addresses: [await unusedAddress(), served.url] });
    const content = bytes(200_000);
    const [result] = await files.uploadBatch([{ name: 'x', content: inPieces(content, 9000) }]);
    expect((await files.download(result!.stored!.file_id)).equals(content)).toBe(true);

    let asked = 0;
    const busy = await fake((request, response) => {
      asked++;
      request.resume();
      request.once('end', () => response.writeHead(503).end());
    });
    const others = client({ addresses: [busy, served.url] });
    expect(await others.uploadBatch([{ name: 'y', content }]).catch(errorCode)).toBe('unavailable');
    expect(asked).toBe(1);
  });

  it('that is refused before its end is not read on', async () => {
    const refusing = await fake((_request, response) => response.writeHead(403).end());
    let returned = false;
    async function* endless() {
      try {
        for (;;) yield bytes(50_000);
      } finally {
        returned = true;
      }
    }
    const files = client({ addresses: [refusing] });
    expect(await files.uploadBatch([{ name: 'x', content: endless() }]).catch(errorCode)).toBe('permission_denied');
    await until(() => returned);
  });

  it('may pause for longer than a server may be silent', async () => {
    async function* slow() {
      yield Buffer.from('one ');
      await new Promise((resolve) => setTimeout(resolve, 300));
      yield Buffer.from('two');
    }
    const files = client({ timeoutMilliseconds: 100 });
    const [result] = await files.uploadBatch([{ name: 'slow', content: slow() }]);
    expect(result).toMatchObject({ stored: { file_size: 7 } });
  });
});

describe('a batch download', () => {
  const large = bytes(8_000_000);

  const head = (length: number) => `--b\r\nX-Code: 0\r\nContent-Length: ${length}\r\n\r\n`;

  async function idsOf(count: number): Promise<string[]> {
    const batch = Array.from({ length: count }, (_, i) => ({ name: `${i}`, content: large }));
    return (await client().uploadBatch(batch)).map(({ stored }) => stored!.file_id);
  }

  it('that is left early closes its connection', async () => {
    const ids = await idsOf(4);
    for await (const { content } of client({ maxConnections: 1 }).downloadBatch(ids)) {
      for await (const _piece of content!) break;
      break;
    }
    await until(() => store.openHandles === 0);
    expect(store.misuses).toBe(0);
  });

  it('that is left while its server says nothing closes its connection, too', async () => {
    let closed = false;
    const address = await fake((_request, response) => {
      response.writeHead(200, { 'content-type': 'multipart/mixed; boundary=b' }).write(`${head(10)}12345`);
      response.once('close', () => {
        closed = true;
      });
    });
    for await (const { content } of client({ addresses: [address] }).downloadBatch(['a', 'b'])) {
      for await (const _piece of content!) break;
      // By now the next piece has been asked for, in vain.
      await setImmediate();
      break;
    }
    await until(() => closed);
  });

  it('passes over what nobody reads', async () => {
    const ids = await idsOf(3);
    const files = client({ maxConnections: 1 });
    const sizes: number[] = [];
    for await (const { content } of files.downloadBatch(ids)) {
      if (sizes.length === 1) sizes.push((await contentOf(content)).length);
      else sizes.push(0);
    }
    expect(sizes).toEqual([0, large.length, 0]);
    // Its connection is free again.
    expect((await files.list()).total).toBe(3);
  });

  it('can be given up', async () => {
    const ids = await idsOf(2);
    const abort = new AbortController();
    const parts = client().downloadBatch(ids, { signal: abort.signal });
    const { value } = await parts.next();
    const pieces = value!.content![Symbol.asyncIterator]();
    await pieces.next();
    abort.abort();
    const rest = async () => {
      while (!(await pieces.next()).done);
    };
    expect(await rest().catch(errorCode)).toBe('canceled');
    expect(await parts.next().catch(errorCode)).toBe('canceled');
    await until(() => store.openHandles === 0);
  });

  it('may be read slowly', async () => {
    const ids = await idsOf(2);
    let length = 0;
    for await (const { content } of client({ timeoutMilliseconds: 100 }).downloadBatch(ids)) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      length += (await contentOf(content)).length;
    }
    expect(length).toBe(2 * large.length);
  });

  it.each([
    { name: 'breaks off in a file', body: `${head(10)}12345`, code: 'unavailable' },
    { name: 'breaks off in a head', body: '--b\r\nX-Co', code: 'unavailable' },
    { name: 'ends behind a part', body: `${head(1)}1\r\n`, code: 'unavailable' },
    { name: 'has fewer parts', body: `${head(1)}1\r\n--b--`, code: 'internal' },
    { name: 'has more parts', body: `${`${head(1)}1\r\n`.repeat(3)}--b--`, code: 'internal' },
    { name: 'is something else', body: '', type: 'text/html', code: 'internal' },
  ])('whose answer $name fails', async ({ body, type = 'multipart/mixed; boundary=b', code }) => {
    const address = await fake((_request, response) => response.writeHead(200, { 'content-type': type }).end(body));
    const read = async () => {
      for await (const { content } of client({ addresses: [address] }).downloadBatch(['a', 'b'])) {
        await contentOf(content);
      }
    };
    expect(await read().catch(errorCode)).toBe(code);
  });
});
