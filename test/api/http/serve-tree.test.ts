import { once } from 'node:events';
import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { extract } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BlobHash, formatHash, hashHex } from '../../../src/base/digest.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { digestBlob } from '../../../src/blake3/hasher.js';
import { buildTree } from '../../../src/tree/build-tree.js';
import type { TreeItem } from '../../../src/tree/tree-item.js';
import { encodeNode } from '../../../src/tree/tree-node.js';
import { type Asked, ask, type HttpVersion } from '../../support/http-client.js';
import { seededRandom } from '../../support/random.js';
import { type Served, serve, WatchedStore } from '../../support/served.js';
import { emptyDirectory, file, leaf, link, projectItems, sorted } from '../../support/trees.js';

const random = seededRandom(11);
const store = new WatchedStore();
let served: Served;

beforeAll(async () => {
  served = await serve(store);
});
afterAll(() => served.server.close());
afterEach(async () => {
  store.beforeRead = () => {};
  store.onRead = () => {};
  await expect.poll(() => store.openHandles).toBe(0);
  expect(store.misuses).toBe(0);
});

/** Stores a tree's nodes; its files are there when they were made by `kept`. */
async function planted(items: readonly TreeItem[]): Promise<string> {
  const { digest } = await buildTree(sorted(items), async (_, bytes) => void (await store.write(bytes)));
  return hashHex(digest.hash);
}

async function kept(path: string, content: string | Uint8Array): Promise<TreeItem> {
  const { digest } = await store.write(Buffer.from(content));
  return { kind: 'file', path, digest, executable: false, readonly: false };
}

const large = random.bytes(300_000);
let tree: string;
beforeAll(async () => {
  tree = await planted([
    await kept('a.txt', 'text'),
    await kept('ä ö.json', '{}'),
    await kept('large.bin', large),
    await kept('html', '<html>'),
    await kept('site/index.html', '<link href=style.css rel=stylesheet>'),
    await kept('site/style.css', 'a{}'),
    await kept('site/evil.svg', '<svg/>'),
    await kept('plain/one', '1'),
    await kept('plain/two', '22'),
    await kept('folder-index/index.html/file', 'x'),
    emptyDirectory('nothing'),
    link('to-site', 'site'),
    link('to-text', 'a.txt'),
    link('no-page.html', 'a.txt'),
    link('dangling', 'none'),
    link('loop', 'loop'),
    file('lost.txt', 'never stored'),
  ]);
});

const blobHeaders = {
  'cache-control': 'public, max-age=31536000, immutable',
  'x-content-type-options': 'nosniff',
  'content-security-policy': expect.stringMatching(/^sandbox allow-same-origin allow-downloads; default-src 'none'; /),
};
const tagOf = (bytes: string | Uint8Array) => `"${formatHash(digestBlob(Buffer.from(bytes)).hash)}"`;

interface Row extends Asked {
  readonly path: string;
  readonly status: number;
  readonly want?: Readonly<Record<string, unknown>>;
  readonly content?: string | Uint8Array;
  readonly code?: string;
}

const text = { 'content-type': 'text/plain; charset=utf-8', etag: tagOf('text'), 'content-length': '4' };

const rows: Row[] = [
  { path: '/a.txt', status: 200, want: { ...blobHeaders, ...text, 'accept-ranges': 'bytes' }, content: 'text' },
  { path: '/a.txt?x=/', status: 200, want: text, content: 'text' },
  { path: '/a.txt', method: 'HEAD', status: 200, want: { ...blobHeaders, ...text }, content: '' },
  {
    path: '/a.txt',
    headers: { range: 'bytes=1-2' },
    status: 206,
    want: { ...blobHeaders, ...text, 'content-length': '2', 'content-range': 'bytes 1-2/4' },
    content: 'ex',
  },
  {
    path: '/large.bin',
    headers: { range: 'bytes=-100000' },
    status: 206,
    want: { 'content-range': `bytes 200000-299999/300000` },
    content: large.subarray(200_000),
  },
  { path: '/a.txt', headers: { range: 'bytes=9-' }, status: 416, code: 'out_of_range' },
  {
    path: '/a.txt',
    headers: { 'if-none-match': tagOf('text') },
    status: 304,
    want: { ...blobHeaders, etag: text.etag },
    content: '',
  },
  { path: '/a.txt', headers: { 'if-match': '"other"' }, status: 412, code: 'failed_precondition' },
  { path: '/a.txt', headers: { 'if-range': '"other"', range: 'bytes=1-2' }, status: 200, content: 'text' },
  {
    path: '/%C3%A4%20%C3%B6.json',
    status: 200,
    want: { 'content-type': 'application/json; charset=utf-8' },
    content: '{}',
  },
  { path: '/large.bin', status: 200, want: { 'content-type': 'application/octet-stream' }, content: large },
  { path: '/html', status: 200, want: { ...blobHeaders, 'content-type': 'application/octet-stream' } },
  { path: '/site/evil.svg', status: 200, want: { ...blobHeaders, 'content-type': 'image/svg+xml' } },
  { path: '/to-text', status: 200, want: { etag: text.etag }, content: 'text' },
  { path: '/no-page.html', status: 200, want: { ...blobHeaders, 'content-type': 'text/html; charset=utf-8' } },
  { path: '/to-site/style.css', status: 200, want: { 'content-type': 'text/css; charset=utf-8' }, content: 'a{}' },
  {
    path: '/site/',
    status: 200,
    want: { ...blobHeaders, 'content-type': 'text/html; charset=utf-8', 'accept-ranges': 'bytes' },
  },
  { path: '/site/', headers: { range: 'bytes=0-4' }, status: 206, content: '<link' },
  { path: '/to-site/', status: 200, want: { 'content-type': 'text/html; charset=utf-8' } },
  { path: '/a.txt/', status: 404, code: 'not_found' },
  { path: '/none', status: 404, code: 'not_found' },
  { path: '/a', status: 404, code: 'not_found' },
  { path: '/dangling', status: 404, code: 'not_found' },
  { path: '/loop', status: 404, code: 'not_found' },
  { path: '/lost.txt', status: 404, code: 'not_found' },
  { path: '/lost.txt', method: 'HEAD', status: 404, want: { 'cache-control': 'no-store' } },
  { path: '/site//style.css', status: 404, code: 'not_found' },
  { path: '/site%2Fstyle.css', status: 404, code: 'not_found' },
  { path: '/%ff', status: 400, code: 'invalid_argument' },
  { path: '/a.txt', method: 'PUT', status: 405, want: { allow: 'GET, HEAD, OPTIONS' } },
];

describe.each<HttpVersion>(['h1', 'h2'])('files of a tree over %s', (version) => {
  it.each(rows)('$method $path $headers is $status', async ({ path, status, want, content, code, ...asked }) => {
    const answer = await ask(version, `${served.url}/trees/${tree}${path}`, asked);
    expect(answer.status).toBe(status);
    if (want !== undefined) expect(answer.headers).toMatchObject(want);
    if (content !== undefined) expect(answer.body.equals(Buffer.from(content))).toBe(true);
    if (code !== undefined) expect(JSON.parse(answer.body.toString())).toMatchObject({ code });
  });

  it.each([
    { path: '', location: '/' },
    { path: '/site', location: '/site/' },
    { path: '/site?q', location: '/site/' },
    { path: '/to-site', location: '/to-site/' },
    { path: '/nothing', location: '/nothing/' },
  ])('"$path" is sent on to "$location"', async ({ path, location }) => {
    const { status, headers } = await ask(version, `${served.url}/trees/blake3:${tree.toUpperCase()}${path}`);
    expect([status, headers.location]).toEqual([308, `/trees/${tree}${location}`]);
  });

  it.each([
    { path: '/plain/', names: ['one', 'two'] },
    { path: '/nothing/', names: [] },
    { path: '/folder-index/', names: ['index.html'] },
  ])('lists $path, which has no page of its own', async ({ path, names }) => {
    const url = `${served.url}/trees/${tree}${path}`;
    const { status, headers, body } = await ask(version, url);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ ...blobHeaders, 'content-type': 'application/json' });
    const { entries, goesOn } = JSON.parse(body.toString());
    expect([entries.map(({ name }: { name: string }) => name), goesOn]).toEqual([names, false]);
    const again = await ask(version, url, { headers: { 'if-none-match': headers.etag! } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const head = await ask(version, url, { method: 'HEAD' });
    expect([head.headers['content-length'], head.body.length]).toEqual([headers['content-length'], 0]);
  });
});

describe('trees that cannot be served', () => {
  const swapped = encodeNode(leaf(file('b'), file('a')));
  const climbing = encodeNode(leaf(link('out', '../../etc/passwd')));
  const absolute = encodeNode(leaf(file('/etc/passwd')));
  it.each([
    { name: 'absent', bytes: undefined, status: 404 },
    { name: 'no tree', bytes: Buffer.from('text'), status: 400 },
    { name: 'too large for a node', bytes: random.bytes(100_000), status: 400 },
    { name: 'out of order', bytes: swapped, status: 400 },
    { name: 'with a link that climbs out', bytes: climbing, status: 400 },
    { name: 'with an absolute path', bytes: absolute, status: 400 },
  ])('$name', async ({ bytes, status }) => {
    if (bytes !== undefined) await store.write(bytes);
    const name = hashHex(digestBlob(bytes ?? random.bytes(9)).hash);
    for (const path of ['', '/', '/a', '/out', '//etc/passwd', '.tar']) {
      const answer = await ask('h1', `${served.url}/trees/${name}${path}`);
      expect(answer.status).toBe(path.startsWith('//') ? 404 : status);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code: expect.any(String) });
      expect(answer.headers['cache-control']).toBe('no-store');
    }
  });

  it.each(['', 'abc', `${'0'.repeat(63)}g`])('named "%s"', async (name) => {
    for (const path of ['', '/', '/a', '.tar']) {
      expect((await ask('h1', `${served.url}/trees/${name}${path}`)).status).toBe(400);
    }
  });

  it('a claim of another size than the blob has', async () => {
    const { digest } = await store.write(Buffer.from('claimed'));
    const lying = await planted([{ ...file('a'), digest: { ...digest, size: 6 } }]);
    for (const method of ['GET', 'HEAD']) {
      expect((await ask('h1', `${served.url}/trees/${lying}/a`, { method })).status).toBe(404);
    }
    expect((await ask('h1', `${served.url}/trees/${lying}.tar`)).status).toBe(404);
  });
});

describe('the guard of a loopback server', () => {
  it('lets a page load its own parts, and not act without an origin', async () => {
    const own = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors' };
    const { status } = await ask('h1', `${served.url}/trees/${tree}/site/style.css`, { headers: own });
    expect(status).toBe(200);
    const sandboxed = { origin: 'null', 'content-type': 'text/plain' };
    const posted = await ask('h1', `${served.url}/blobs`, {
      method: 'POST',
      headers: sandboxed,
      body: Buffer.from('x'),
    });
    expect(posted.status).toBe(403);
  });
});

describe.each<HttpVersion>(['h1', 'h2'])('archives over %s', (version) => {
  const url = (name: string) => `${served.url}/trees/${name}.tar`;

  it('hold the tree, under a tag of their own', async () => {
    const small = await planted([await kept('a', 'A'), await kept('b/c', 'C'), emptyDirectory('d'), link('l', 'b/c')]);
    const { status, headers, body } = await ask(version, url(small));
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      ...blobHeaders,
      'content-type': 'application/x-tar',
      'content-disposition': `attachment; filename="${small}.tar"`,
      'accept-ranges': 'none',
    });
    expect(headers['content-length']).toBeUndefined();
    expect(await entriesOf(body)).toEqual(['a=A', 'b/c=C', 'd/', 'l->b/c']);
    const again = await ask(version, url(small), { headers: { 'if-none-match': headers.etag! } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const head = await ask(version, url(small), { method: 'HEAD' });
    expect([head.status, head.headers.etag, head.body.length]).toEqual([200, headers.etag, 0]);
    const ranged = await ask(version, url(small), { headers: { range: 'bytes=0-9' } });
    expect([ranged.status, ranged.body.length]).toEqual([200, body.length]);
  });

  it('of a tree with a missing blob or node do not begin', async () => {
    const items = [await kept('a', random.bytes(200_000)), file('b', 'not here')];
    const answer = await ask(version, url(await planted(items)));
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(hashHex(digestBlob(Buffer.from('not here')).hash)),
    });
    const nodes: BlobHash[] = [];
    const empty = Array.from({ length: 500 }, (_, i) => link(`${version}${i}`, 'x'));
    const { digest } = await buildTree(sorted(empty), async (node, bytes) => {
      nodes.push(node.hash);
      await store.write(bytes);
    });
    await store.delete([nodes[0]!]);
    expect((await ask(version, url(hashHex(digest.hash)))).status).toBe(404);
    expect((await ask(version, url(hashHex(digest.hash)), { method: 'HEAD' })).status).toBe(404);
  });

  it('are broken off at an error, and never look whole', async () => {
    const big = await planted([await kept('a', random.bytes(2_000_000)), await kept('b', random.bytes(2_000_000))]);
    let reads = 0;
    store.beforeRead = () => {
      if (++reads > 6) throw new CairnError('corrupt', 'damaged');
    };
    await expect(ask(version, url(big))).rejects.toThrow();
  });

  it('that fail before their first byte are proper errors', async () => {
    const big = await planted([await kept('a', random.bytes(2_000_000))]);
    const { size } = (await store.stat([digestOf(big)]))[0]!;
    store.beforeRead = () => {
      if (reading) throw new CairnError('corrupt', 'damaged');
    };
    let reading = false;
    store.onRead = ({ end }) => {
      reading = end > size;
    };
    const { status, body } = await ask(version, url(big));
    expect([status, JSON.parse(body.toString()).code]).toEqual([500, 'corrupt']);
  });

  it('release everything when the client leaves', async () => {
    const items = await Promise.all([...Array(40).keys()].map((i) => kept(`f${i}`, random.bytes(1_000_000))));
    const big = await planted(items);
    let bytesRead = 0;
    store.onRead = ({ start, end }) => {
      bytesRead += end - start;
    };
    const leave = await beginDownload(version, `/trees/${big}.tar`);
    for (let before = -1; before !== bytesRead; ) {
      before = bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(bytesRead).toBeLessThan(25_000_000);
    expect(store.openHandles).toBeGreaterThan(0);
    expect(store.openHandles).toBeLessThanOrEqual(limits.archiveFilesAheadCountMax + 1);
    leave();
    await expect.poll(() => store.openHandles).toBe(0);
    expect(bytesRead).toBeLessThan(25_000_000);
  });
});

it('an archive is refused over HTTP/1.0, where one that was broken off would look whole', async () => {
  const socket = connect(served.port, '127.0.0.1');
  socket.write(`GET /trees/${tree}.tar HTTP/1.0\r\nhost: localhost\r\n\r\n`);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toMatch(/^HTTP\/1\.1 501 /);
});

it('a tree of 50,000 files is archived in little memory', async () => {
  const { digest } = await store.write(random.bytes(4096));
  const name = await planted(projectItems(50_000).map(({ path }) => ({ ...file(path), digest })));
  let bytes = 0;
  let openMax = 0;
  let memoryMax = 0;
  store.onRead = () => {
    openMax = Math.max(openMax, store.openHandles);
  };
  const before = process.memoryUsage().arrayBuffers;
  const response = await fetch(`${served.url}/trees/${name}.tar`);
  for await (const piece of response.body!) {
    bytes += piece.length;
    memoryMax = Math.max(memoryMax, process.memoryUsage().arrayBuffers);
  }
  expect(bytes).toBe(50_000 * (512 + 4096) + 1024);
  expect(openMax).toBeLessThanOrEqual(limits.archiveFilesAheadCountMax + 1);
  expect(memoryMax - before).toBeLessThan(100_000_000);
}, 60_000);

function digestOf(hex: string): BlobHash {
  return new Uint8Array(Buffer.from(hex, 'hex')) as BlobHash;
}

async function entriesOf(archive: Buffer): Promise<string[]> {
  const reader = extract();
  reader.end(archive);
  const found: string[] = [];
  for await (const entry of reader) {
    const pieces: Buffer[] = [];
    for await (const piece of entry) pieces.push(piece as Buffer);
    const { name, type, linkname } = entry.header;
    const content = type === 'file' ? `=${Buffer.concat(pieces)}` : '';
    found.push(type === 'symlink' ? `${name}->${linkname}` : name + content);
  }
  return found;
}

/** Asks, and takes nothing but the first piece. */
async function beginDownload(version: HttpVersion, path: string): Promise<() => void> {
  if (version === 'h1') {
    const socket = connect(served.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await once(socket, 'readable');
    return () => socket.destroy();
  }
  const session = http2Connect(served.url);
  const stream = session.request({ ':path': path });
  stream.on('error', () => {});
  await once(stream, 'response');
  return () => {
    stream.close(8);
    session.close();
  };
}
