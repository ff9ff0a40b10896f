// What the wire suite cannot see from outside: handles, logs, call records, failing stores, broken requests.

import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { internalMessage } from '../../../src/api/error-map.js';
import type { RpcParts } from '../../../src/api/rpc/rpc-parts.js';
import type { BlobHandle, BlobSource, WriteOptions, WriteResult } from '../../../src/base/blob-store.js';
import { systemClock } from '../../../src/base/clock.js';
import type { BlobHash } from '../../../src/base/digest.js';
import { CairnError, type ErrorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { Health, HealthCheckResponse_ServingStatus } from '../../../src/gen/grpc/health/v1/health_pb.js';
import { ContentAddressableStorage } from '../../../src/gen/zako/v1/cas/cas_pb.js';
import { Protocol } from '../../../src/gen/zako/v1/net/net_pb.js';
import {
  DownloadRequestSchema,
  Transport,
  UploadRequestSchema,
} from '../../../src/gen/zako/v1/transport/transport_pb.js';
import {
  chunkMessage,
  collect,
  freshBlob,
  metadataMessage,
  sequence,
  uploadMessages,
} from '../../conformance/wire-blobs.js';
import { faces } from '../../conformance/wire-faces.js';
import { startRpcServer } from './rpc-server.js';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function setUp(given: Partial<RpcParts> = {}, faceName = 'gRPC, binary, HTTP/2') {
  const server = await startRpcServer(given);
  cleanUps.push(() => server.stop());
  const connection = faces.find(({ name }) => name === faceName)!.connect(server.baseUrl);
  cleanUps.push(() => connection.close());
  const of = connection.transport;
  return {
    server,
    transport: createClient(Transport, of),
    blobs: createClient(BlobService, of),
    cas: createClient(ContentAddressableStorage, of),
    health: createClient(Health, of),
  };
}

/** Counts open handles and writes under way, and remembers how writes ended. */
class WatchedStore extends MemoryStore {
  openHandles = 0;
  readonly writes: string[] = [];
  /** How the source of a write ended, whatever the store made of it. */
  readonly sources: string[] = [];

  override async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await super.open(hash);
    if (handle === undefined) return undefined;
    this.openHandles++;
    let closed = false;
    return {
      digest: handle.digest,
      localPath: '/data/blob',
      read: (range) => handle.read(range),
      close: async () => {
        if (!closed) this.openHandles--;
        closed = true;
      },
    };
  }

  override async write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    const at = this.writes.push('under way') - 1;
    try {
      const result = await super.write(source instanceof Uint8Array ? source : this.#watched(source), options);
      this.writes[at] = 'done';
      return result;
    } catch (error) {
      this.writes[at] = error instanceof CairnError ? error.code : 'other';
      throw error;
    }
  }

  async *#watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
      this.sources.push('complete');
    } catch (error) {
      this.sources.push('failed');
      throw error;
    }
  }
}

const everyWay = faces.filter(({ isJson, name }) => !isJson && !name.includes('gzip')).map(({ name }) => ({ name }));

describe.each(everyWay)('a call that ends in its middle: $name', ({ name }) => {
  it('closes the handle when a download is canceled', async () => {
    const store = new WatchedStore();
    const { server, transport } = await setUp({ store }, name);
    const blob = freshBlob(30_000_000);
    await store.write(blob.bytes);
    const abort = new AbortController();
    const download = async () => {
      for await (const _ of transport.download({ metadata: { digest: blob.message } }, { signal: abort.signal })) {
        expect(store.openHandles).toBe(1);
        abort.abort();
      }
    };
    await expect(download()).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitFor(() => expect(store.openHandles).toBe(0));
    await vi.waitFor(() => expect(server.calls).toMatchObject([{ code: 'canceled' }]));
    expect(server.errors).toEqual([]);
  });

  it('aborts the write when an upload is canceled', async () => {
    const store = new WatchedStore();
    const { server, transport } = await setUp({ store }, name);
    const blob = freshBlob(1000);
    const abort = new AbortController();
    const stalled = (async function* () {
      yield metadataMessage(blob.message);
      yield chunkMessage(blob.bytes.subarray(0, 500));
      await new Promise(() => {});
    })();
    const call = transport.upload(stalled, { signal: abort.signal });
    await vi.waitFor(() => expect(store.writes).toEqual(['under way']));
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitFor(() => expect(store.writes).not.toEqual(['under way']));
    expect(store.writes).not.toContain('done');
    expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
    await vi.waitFor(() => expect(server.calls).toHaveLength(1));
    // Over HTTP/2 this client ends its request properly before it resets the stream: an upload of too few bytes.
    expect(['canceled', 'invalid_argument']).toContain(server.calls[0]!.code);
    expect(server.errors).toEqual([]);
  });

  it('tells calls under way that the server shuts down', async () => {
    const store = new WatchedStore();
    const shutdown = new AbortController();
    const { transport } = await setUp({ store, shutdown: shutdown.signal }, name);
    const stalled = (async function* () {
      yield metadataMessage(freshBlob(1000).message);
      await new Promise(() => {});
    })();
    const call = transport.upload(stalled);
    call.catch(() => {});
    await vi.waitFor(() => expect(store.writes).toEqual(['under way']));
    shutdown.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  });
});

it.each([
  { name: 'reset in its middle', sentBytes: 500, cut: 'stream' },
  { name: 'reset after its last byte, but without an end', sentBytes: 1000, cut: 'stream' },
  { name: 'disconnected in its middle', sentBytes: 500, cut: 'session' },
  { name: 'disconnected after its last byte, but without an end', sentBytes: 1000, cut: 'session' },
] as const)('an upload that is $name stores nothing', async ({ sentBytes, cut }) => {
  const store = new WatchedStore();
  const { server } = await setUp({ store });
  const blob = freshBlob(1000);
  const session = connectHttp2(server.baseUrl);
  cleanUps.push(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/zako.v1.transport.Transport/Upload',
    'content-type': 'application/grpc+proto',
    te: 'trailers',
  });
  stream.on('error', () => {});
  for (const message of [metadataMessage(blob.message), chunkMessage(blob.bytes.subarray(0, sentBytes))]) {
    stream.write(uploadBytes(message));
  }
  await vi.waitFor(() => expect(store.writes).toEqual(['under way']));
  await new Promise((resolve) => setTimeout(resolve, 50));
  // Not close(), which would end the request properly before it resets the stream.
  if (cut === 'stream') stream.destroy();
  else session.destroy();
  await vi.waitFor(() => expect(store.writes).not.toEqual(['under way']));
  expect(store.writes).not.toContain('done');
  expect(store.sources).toEqual(['failed']);
  await vi.waitFor(() => expect(server.calls).toMatchObject([{ code: 'canceled' }]));
  expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
  expect(server.errors).toEqual([]);
});

describe('a store that fails', () => {
  it.each<{ code: ErrorCode; want: Code; isLogged: boolean }>([
    { code: 'no_space', want: Code.ResourceExhausted, isLogged: false },
    { code: 'storage', want: Code.Internal, isLogged: true },
    { code: 'corrupt', want: Code.DataLoss, isLogged: true },
    { code: 'unavailable', want: Code.Unavailable, isLogged: false },
  ])('$code reaches the caller of Upload and each item of BatchWrite', async ({ code, want, isLogged }) => {
    const store = new MemoryStore();
    store.write = () => Promise.reject(new CairnError(code, 'it failed'));
    const { server, transport, blobs } = await setUp({ store });
    const blob = freshBlob(100);
    await expect(transport.upload(uploadMessages(blob))).rejects.toMatchObject({ code: want, rawMessage: 'it failed' });
    const { items } = await blobs.batchWrite({ items: [{ digest: blob.message, data: blob.bytes }] });
    expect(items[0]?.status).toMatchObject({ code: want, message: 'it failed' });
    expect(server.errors).toHaveLength(isLogged ? 2 : 0);
  });

  it('keeps the words of an unknown error to the log', async () => {
    const store = new MemoryStore();
    store.stat = () => Promise.reject(new Error('/secret/path'));
    const { server, blobs } = await setUp({ store });
    const call = blobs.findMissing({ digests: [freshBlob(9).message] });
    await expect(call).rejects.toMatchObject({ code: Code.Internal, rawMessage: internalMessage });
    expect(server.errors).toMatchObject([{ method: 'cairn.v1.BlobService/FindMissing', call: '1' }]);
  });

  it('ends a download at the damaged block', async () => {
    const store = new MemoryStore();
    const blob = freshBlob(1_000_000);
    await store.write(blob.bytes);
    const { open } = store;
    store.open = async (hash) => {
      const handle = (await open.call(store, hash))!;
      const read = async (range: { start: number; end: number }) => {
        if (range.end > 500_000) throw new CairnError('corrupt', 'bad block');
        return handle.read(range);
      };
      return { digest: handle.digest, localPath: undefined, read, close: () => handle.close() };
    };
    const { transport } = await setUp({ store });
    let received = 0;
    const call = (async () => {
      for await (const { data } of transport.download({ metadata: { digest: blob.message } })) received += data.length;
    })();
    await expect(call).rejects.toMatchObject({ code: Code.DataLoss });
    expect(received).toBeLessThanOrEqual(500_000);
  });
});

describe('races of uploads', () => {
  it('the loser succeeds, also when its caller has stalled', async () => {
    const store = new WatchedStore();
    const { transport } = await setUp({ store });
    const blob = freshBlob(1000);
    let goOn = () => {};
    const paused = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const slow = (async function* () {
      yield metadataMessage(blob.message);
      await paused;
      yield chunkMessage(blob.bytes);
    })();
    const loser = transport.upload(slow);
    await vi.waitFor(() => expect(store.writes).toEqual(['under way']));
    expect((await transport.upload(uploadMessages(blob))).committedSize).toBe(1000n);
    goOn();
    expect((await loser).committedSize).toBe(1000n);
  });

  it('answers before the caller has sent all when the store does', async () => {
    const store = new MemoryStore();
    const blob = freshBlob(1000);
    store.write = async (source) => {
      const iterator = (source as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      await iterator.next();
      await iterator.return?.();
      return { digest: blob.digest, existed: true, durability: 'memory' };
    };
    const { transport } = await setUp({ store });
    const stalled = (async function* () {
      yield metadataMessage(blob.message);
      yield chunkMessage(blob.bytes.subarray(0, 10));
      await new Promise(() => {});
    })();
    expect((await transport.upload(stalled)).committedSize).toBe(1000n);
  });

  it('tells the caller of their own mistake, whatever the store makes of it', async () => {
    const store = new MemoryStore();
    store.write = async (source) => {
      try {
        for await (const _ of source as AsyncIterable<Uint8Array>);
      } catch (error) {
        throw new CairnError('storage', 'the source failed', { cause: error });
      }
      throw new Error('unreachable');
    };
    const { server, transport } = await setUp({ store });
    const { message } = freshBlob(10);
    const call = transport.upload(sequence([metadataMessage(message), metadataMessage(message)]));
    await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(server.errors).toEqual([]);
  });

  it('fails with more bytes than declared as soon as they come', async () => {
    const store = new MemoryStore();
    store.write = async (source) => {
      for await (const _ of source as AsyncIterable<Uint8Array>);
      throw new Error('took them');
    };
    const { transport } = await setUp({ store });
    const blob = freshBlob(10);
    const endless = (async function* () {
      yield metadataMessage(blob.message);
      yield chunkMessage(new Uint8Array(11));
      await new Promise(() => {});
    })();
    await expect(transport.upload(endless)).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

describe('what callers learn of the machine', () => {
  it('GetTransportDetails tells the advertised address', async () => {
    const { cas } = await setUp({ advertise: { ip: '2001:db8::1', port: 9000 }, recommendedConcurrency: 17 });
    const details = await cas.getTransportDetails({ supportedProtocols: [Protocol.grpc] });
    const v6 = Buffer.from('20010db8000000000000000000000001', 'hex');
    expect(details.serverAddr?.port).toBe(9000);
    expect(details.serverAddr?.ip?.ipAddr.case).toBe('v6');
    expect(v6.equals(details.serverAddr?.ip?.ipAddr.value as Uint8Array)).toBe(true);
    expect(details.recommendedConcurrency).toBe(17);
  });

  it('Stat tells local paths to callers on this machine that ask', async () => {
    const store = new WatchedStore();
    const { blobs } = await setUp({ store });
    const blob = freshBlob(10);
    await store.write(blob.bytes);
    const hashes = [blob.digest.hash, freshBlob(10).digest.hash];
    const asked = await blobs.stat({ hashes, withLocalPath: true });
    expect(asked.items.map(({ localPath }) => localPath)).toEqual(['/data/blob', undefined]);
    expect((await blobs.stat({ hashes })).items.map(({ localPath }) => localPath)).toEqual([undefined, undefined]);
    expect(store.openHandles).toBe(0);
  });
});

it('turns NOT_SERVING when the server drains, and ends watches', async () => {
  const { server, health } = await setUp();
  const watched: HealthCheckResponse_ServingStatus[] = [];
  for await (const { status } of health.watch({})) {
    watched.push(status);
    server.parts.serving.drain();
  }
  const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
  expect(watched).toEqual([SERVING, NOT_SERVING]);
  expect((await health.check({})).status).toBe(NOT_SERVING);
  expect(await collect(health.watch({}))).toMatchObject([{ status: NOT_SERVING }]);
});

describe('call records', () => {
  it('tell method, protocol, code, bytes each way and the peer', async () => {
    const { server, transport } = await setUp();
    const blob = freshBlob(100_000);
    await transport.upload(uploadMessages(blob));
    await collect(transport.download({ metadata: { digest: blob.message } }));
    await collect(transport.download({ metadata: { digest: freshBlob(9).message } })).catch(() => {});
    const over11 = createClient(BlobService, createConnectTransport({ baseUrl: server.baseUrl, httpVersion: '1.1' }));
    await over11.list({});
    await vi.waitFor(() => expect(server.calls).toHaveLength(4));
    expect(server.calls).toMatchObject([
      { id: '1', method: 'zako.v1.transport.Transport/Upload', protocol: 'grpc', code: 'ok' },
      { id: '2', method: 'zako.v1.transport.Transport/Download', protocol: 'grpc', code: 'ok' },
      { id: '3', method: 'zako.v1.transport.Transport/Download', protocol: 'grpc', code: 'not_found', bytesOut: 0 },
      { id: '4', method: 'cairn.v1.BlobService/List', protocol: 'connect', code: 'ok' },
    ]);
    const [up, down] = server.calls;
    expect(up!.bytesIn).toBeGreaterThan(100_000);
    expect(up!.bytesIn).toBeLessThan(100_200);
    expect(down!.bytesOut).toBeGreaterThan(100_000);
    expect(down!.milliseconds).toBeGreaterThan(0);
    for (const { peer } of server.calls) expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe('requests that are no calls', () => {
  it.each([
    { name: 'no Host', lines: ['POST /cairn.v1.BlobService/List HTTP/1.0'], want: 400 },
    { name: 'an impossible Host', lines: ['POST /cairn.v1.BlobService/List HTTP/1.1', 'Host: a b['], want: 400 },
    { name: 'another path', lines: ['GET /other HTTP/1.1', 'Host: a'], want: 404 },
    { name: 'another method', lines: ['GET /cairn.v1.BlobService/List HTTP/1.1', 'Host: a'], want: 405 },
    { name: 'no content type', lines: ['POST /cairn.v1.BlobService/Delete HTTP/1.1', 'Host: a'], want: 415 },
    {
      name: 'broken JSON',
      lines: [
        'POST /cairn.v1.BlobService/List HTTP/1.1',
        'Host: a',
        'Content-Type: application/json',
        'Content-Length: 0',
      ],
      want: 400,
    },
    {
      name: 'a bidirectional stream over HTTP/1.1',
      lines: [
        'POST /zako.v1.cas.ContentAddressableStorage/NegotiateBlobs HTTP/1.1',
        'Host: a',
        'Content-Type: application/connect+proto',
      ],
      want: 505,
    },
  ])('$name is answered $want, and the server goes on', async ({ lines, want }) => {
    const { server, blobs } = await setUp();
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectSocket(server.port, '127.0.0.1', () => {
        socket.end(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
      });
      let received = '';
      socket.on('data', (bytes) => {
        received += bytes;
      });
      socket.on('end', () => resolve(received)).on('error', reject);
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${want} `));
    expect((await blobs.list({})).digests).toEqual([]);
  });

  it('garbage instead of messages is a mistake of the caller', async () => {
    const { server } = await setUp();
    for (const type of [
      'application/proto',
      'application/json',
      'application/grpc-web+proto',
      'application/connect+proto',
    ]) {
      const response = await fetch(`${server.baseUrl}/zako.v1.transport.Transport/Download`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: Buffer.from('00000000050102030405', 'hex'),
      });
      await response.arrayBuffer();
      expect(response.status).toBeLessThan(500);
    }
    expect(server.errors).toEqual([]);
  });
});

describe('an upload that is answered before its end', () => {
  /** Begins an upload of a blob that is there already, on a socket of its own, and waits for its answer. */
  async function beginUpload(given: Partial<RpcParts> = {}) {
    const { server } = await setUp(given);
    const blob = freshBlob(200_000);
    await server.parts.store.write(blob.bytes);
    const socket = connectSocket(server.port, '127.0.0.1');
    cleanUps.push(() => void socket.destroy());
    const state = { received: '', closed: false };
    socket.on('data', (bytes) => {
      state.received += bytes;
    });
    socket.on('close', () => {
      state.closed = true;
    });
    socket.on('error', () => {});
    const head = (path: string, type: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n`;
    const send = (bytes: Uint8Array) => {
      socket.write(`${bytes.length.toString(16)}\r\n`);
      socket.write(bytes);
      socket.write('\r\n');
    };
    socket.write(
      `${head('/zako.v1.transport.Transport/Upload', 'application/connect+proto')}Transfer-Encoding: chunked\r\n\r\n`,
    );
    send(uploadBytes(metadataMessage(blob.message)));
    await vi.waitFor(() => expect(state.received).toContain('already_exists'));
    return { server, blob, socket, state, head, send };
  }

  it('leaves the connection to the next request once the rest has come', async () => {
    const { blob, socket, state, head, send } = await beginUpload();
    send(uploadBytes(chunkMessage(blob.bytes)));
    socket.write('0\r\n\r\n');
    socket.write(`${head('/cairn.v1.BlobService/List', 'application/json')}Content-Length: 2\r\n\r\n{}`);
    await vi.waitFor(() => expect(state.received).toContain('totalCount'));
  });

  it('loses its connection when the rest does not come in time', async () => {
    const waits: { milliseconds: number; callback: () => void }[] = [];
    const after = (milliseconds: number, callback: () => void) => {
      waits.push({ milliseconds, callback });
      return () => {};
    };
    const { state } = await beginUpload({ clock: { ...systemClock, after } });
    await vi.waitFor(() => expect(waits).toMatchObject([{ milliseconds: limits.lingerMillisecondsMax }]));
    expect(state.closed).toBe(false);
    waits[0]!.callback();
    await vi.waitFor(() => expect(state.closed).toBe(true));
  });
});

it('closes the handle of a download at the deadline, though the caller takes nothing', async () => {
  const store = new WatchedStore();
  const { server } = await setUp({ store });
  const blob = freshBlob(30_000_000);
  await store.write(blob.bytes);
  const request = create(DownloadRequestSchema, { metadata: { digest: blob.message } });
  const response = await fetch(`${server.baseUrl}/zako.v1.transport.Transport/Download`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+proto', 'connect-timeout-ms': '500' },
    body: enveloped(toBinary(DownloadRequestSchema, request)),
  });
  expect(store.openHandles).toBe(1);
  await vi.waitFor(() => expect(store.openHandles).toBe(0));
  expect(server.calls).toEqual([]);
  await response.body?.cancel();
});

it('ends a call at the deadline by itself', async () => {
  const { server } = await setUp();
  const response = await fetch(`${server.baseUrl}/grpc.health.v1.Health/Watch`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+json', 'connect-timeout-ms': '100' },
    body: Buffer.from('00000000027b7d', 'hex'),
  });
  expect(await response.text()).toContain('"deadline_exceeded"');
  await vi.waitFor(() => expect(server.calls).toMatchObject([{ code: 'deadline_exceeded' }]));
});

function uploadBytes(message: ReturnType<typeof metadataMessage>): Buffer {
  return enveloped(toBinary(UploadRequestSchema, create(UploadRequestSchema, message)));
}

/** A message as it is streamed: a flag, its length, its bytes. */
function enveloped(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
