// What the wire suite cannot see from outside: logs, call records, failing stores, broken requests.

import { connect as connectSocket } from 'node:net';
import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { describe, expect, it, vi } from 'vitest';
import { internalMessage } from '../../../src/api/error-map.js';
import { CairnError, type ErrorCode } from '../../../src/base/errors.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { HealthCheckResponse_ServingStatus } from '../../../src/gen/grpc/health/v1/health_pb.js';
import { Protocol } from '../../../src/gen/zako/v1/net/net_pb.js';
import { collect, freshBlob, uploadMessages } from '../../conformance/wire-blobs.js';
import { useRpcServer } from './rpc-clients.js';
import { WatchedStore } from './watched-store.js';

const setUp = useRpcServer();

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
