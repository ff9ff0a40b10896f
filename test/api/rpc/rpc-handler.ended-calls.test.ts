// Calls that end before their time: canceled, cut off, late, outrun, or answered early.

import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { describe, expect, it, vi } from 'vitest';
import type { RpcParts } from '../../../src/api/rpc/rpc-parts.js';
import { systemClock } from '../../../src/base/clock.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { DownloadRequestSchema, UploadRequestSchema } from '../../../src/gen/zako/v1/transport/transport_pb.js';
import { chunkMessage, freshBlob, metadataMessage, sequence, uploadMessages } from '../../conformance/wire-blobs.js';
import { faces } from '../../conformance/wire-faces.js';
import { useRpcServer } from './rpc-clients.js';
import { WatchedStore } from './watched-store.js';

const everyWay = faces.filter(({ isJson, name }) => !isJson && !name.includes('gzip')).map(({ name }) => ({ name }));

describe.each([{ withLane: true }, { withLane: false }])('with the lane: $withLane', ({ withLane }) => {
  const setUp = useRpcServer({ withLane });

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
    const { server, cleanUp } = await setUp({ store });
    const blob = freshBlob(1000);
    const session = connectHttp2(server.baseUrl);
    cleanUp(() => session.destroy());
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

  describe('an upload that is answered before its end', () => {
    /** Begins an upload of a blob that is there already, on a socket of its own, and waits for its answer. */
    async function beginUpload(given: Partial<RpcParts> = {}) {
      const { server, cleanUp } = await setUp(given);
      const blob = freshBlob(200_000);
      await server.parts.store.write(blob.bytes);
      const socket = connectSocket(server.port, '127.0.0.1');
      cleanUp(() => void socket.destroy());
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
        if (milliseconds === limits.lingerMillisecondsMax) waits.push({ milliseconds, callback });
        return () => {};
      };
      const { state } = await beginUpload({ clock: { ...systemClock, after } });
      await vi.waitFor(() => expect(waits).toHaveLength(1));
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
