import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gate, openGate } from '../../../src/api/auth/gate.js';
import { everybody } from '../../../src/api/auth/principal.js';
import type { Call } from '../../../src/api/call-log.js';
import type { LmofConnection } from '../../../src/api/tcp/lmof-connection.js';
import { lmofFace } from '../../../src/api/tcp/lmof-face.js';
import { ByteBudget } from '../../../src/base/byte-budget.js';
import { systemClock } from '../../../src/base/clock.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import type { Cluster, NodeInfo } from '../../../src/cluster/cluster.js';
import type { FileService } from '../../../src/file/file-service.js';
import {
  AuthRequestSchema,
  DeleteRequestSchema,
  DownloadRequestSchema,
  HeartbeatRequestSchema,
  ListRequestSchema,
  UploadRequestSchema,
} from '../../../src/gen/cairn/lmof/v2/lmof_pb.js';
import { withFiles } from '../../support/file-service.js';
import { LmofClient } from '../../support/lmof-client.js';
import { seededRandom } from '../../support/random.js';

const node = { nodeId: 'node-1', address: '127.0.0.1:9000', roles: ['master', 'datanode'] };
const cluster = { info: async () => ({ clusterId: 'c', isHealthy: true, nodes: [node as unknown as NodeInfo] }) };

let server: Server;
let client: LmofClient;
let calls: Call[];
let runs: Promise<void>[];

async function serve(files: FileService, gate: Gate = openGate): Promise<void> {
  calls = [];
  runs = [];
  const face = lmofFace({
    files,
    cluster: cluster as unknown as Cluster,
    gate,
    clock: systemClock,
    budget: new ByteBudget(limits.lmofHeldBytesMax),
    logger: { error: () => {}, warn: () => {} },
    nextCallId: () => 'id',
    onCall: (call) => calls.push(call),
  });
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection: LmofConnection = face(socket);
    runs.push(connection.run());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new LmofClient(connect((server.address() as AddressInfo).port, '127.0.0.1'));
}

afterEach(async () => {
  client.stream.destroy();
  await Promise.all(runs);
  server.close();
});

const text = 'Hello LumeoFS';
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const fileId = expect.stringMatching(/^f_[0-9a-f]{12,}$/);
const replicas = [{ node_id: 'node-1', address: '127.0.0.1:9000', role: 'primary' }];

describe('version 1', () => {
  it('stores, lists, reads and deletes a file', () =>
    withFiles(async ({ files }) => {
      await serve(files);
      const base64 = Buffer.from(text).toString('base64');
      client.sendJson('UPLOAD', 1n, { file_name: 'test.txt', file_size: 14, file_content: base64 });
      const uploaded = (await client.receiveJson()) as unknown as { data: { file_id: string } };
      expect(uploaded).toMatchObject({
        type: 'UPLOAD_RESPONSE',
        request_id: 1,
        data: {
          file_id: fileId,
          file_name: 'test.txt',
          // What is stored, not what the sender counted.
          file_size: 13,
          chunks: [{ chunk_id: expect.stringMatching(/^c_[0-9a-f]{64}$/), size: 13, replicas }],
          chunk_count: 1,
          created_at: time,
        },
      });
      const { file_id } = uploaded.data;

      client.sendJson('DOWNLOAD', 2n, { file_id });
      expect(await client.receiveJson()).toMatchObject({
        type: 'DOWNLOAD_RESPONSE',
        data: { file_id, file_name: 'test.txt', file_size: 13, offset: 0, length: 13, file_content: base64 },
      });
      client.sendJson('DOWNLOAD', 3n, { file_id, offset: 6, length: 100 });
      const rest = Buffer.from('LumeoFS').toString('base64');
      expect(await client.receiveJson()).toMatchObject({ data: { offset: 6, length: 7, file_content: rest } });

      client.sendJson('LIST', 4n, { prefix: 'test', page: 1, page_size: 500 });
      expect(await client.receiveJson()).toMatchObject({
        type: 'LIST_RESPONSE',
        data: { total: 1, page: 1, page_size: 100, files: [{ file_id, file_name: 'test.txt', file_size: 13 }] },
      });
      client.sendJson('HEARTBEAT', 5n, { stats: { cpu: 1 } });
      expect(await client.receiveJson()).toMatchObject({ type: 'HEARTBEAT_RESPONSE', data: { timestamp: time } });
      client.sendJson('DELETE', 6n, { file_id });
      expect(await client.receiveJson()).toMatchObject({ type: 'DELETE_RESPONSE', data: {} });
      expect(calls.slice(0, 5)).toMatchObject(Array(5).fill({ protocol: 'lmof', code: 'ok' }));
    }));

  it('names what is wrong as the HTTP API does', () =>
    withFiles(async ({ files }) => {
      await serve(files);
      await files.upload('taken', Buffer.from('x'));
      const file = await files.upload('here', Buffer.from('0123456789'));
      const { fileId: file_id } = file;
      const content = { file_content: '' };
      const wrong = [
        ['DOWNLOAD', { file_id: 'f_000000000000' }, 1002, { file_id: 'f_000000000000' }],
        ['DELETE', { file_id: 'f_000000000000' }, 1002, { file_id: 'f_000000000000' }],
        ['DOWNLOAD', { file_id, offset: 11 }, 1001, {}],
        ['DOWNLOAD', { file_id, version: 9 }, 1002, {}],
        ['UPLOAD', { file_name: 'taken', if_exists: 'fail', ...content }, 1003, {}],
        ['UPLOAD', { file_name: 'taken', if_exists: 'ask', ...content }, 1001, { parameter: 'if_exists' }],
        ['UPLOAD', { file_name: '', ...content }, 1001, {}],
        ['LIST', { page: 0 }, 1001, {}],
        ['LIST', { page_size: 0 }, 1001, {}],
        ['HEARTBEAT', { node_id: 'stranger' }, 1005, { node_id: 'stranger' }],
        ['AUTH', { username: 'x' }, 1001, {}],
      ] as const;
      for (const [action, data, code, details] of wrong) {
        client.sendJson(action, 1n, data);
        const answer = await client.receiveJson();
        expect(answer, JSON.stringify(data)).toMatchObject({ code, details: { ...details, timestamp: time } });
      }
    }));
});

describe('version 2', () => {
  it('stores, lists, reads and deletes a file of many chunks', () =>
    withFiles(async ({ files }) => {
      await serve(files);
      const bytes = seededRandom(9).bytes(5_000_000);
      const fileSize = BigInt(bytes.length);
      client.sendMessage('UPLOAD', 1n, UploadRequestSchema, { fileName: 'large', fileSize }, bytes);
      const { outcome } = (await client.receiveMessage()).response;
      if (outcome.case !== 'upload') throw new Error(`${outcome.case}`);
      expect(outcome.value).toMatchObject({ fileId, fileName: 'large', fileSize, createdAt: time });
      const id = outcome.value.fileId;
      expect(Number(outcome.value.chunkCount)).toBeGreaterThan(1);

      client.sendMessage('DOWNLOAD', 2n, DownloadRequestSchema, { fileId: id, offset: 1000n, length: 4_000_000n });
      const parts: Buffer[] = [];
      for (let isLast = false; !isLast; ) {
        const { requestId, response, content } = await client.receiveMessage();
        if (response.outcome.case !== 'download') throw new Error(`${response.outcome.case}`);
        expect(requestId).toBe(2n);
        expect(response.outcome.value.length).toBe(BigInt(content.length));
        parts.push(content);
        isLast = response.outcome.value.isLast;
      }
      expect(Buffer.concat(parts).equals(bytes.subarray(1000, 4_001_000))).toBe(true);

      client.sendMessage('LIST', 3n, ListRequestSchema, { prefix: 'la' });
      expect((await client.receiveMessage()).response.outcome.value).toMatchObject({
        total: 1n,
        page: 1,
        pageSize: 20,
        files: [{ fileId: id, fileSize }],
      });
      client.sendMessage('HEARTBEAT', 4n, HeartbeatRequestSchema, { nodeId: 'node-1' });
      expect((await client.receiveMessage()).response.outcome).toMatchObject({ value: { timestamp: time } });
      client.sendMessage('DELETE', 5n, DeleteRequestSchema, { fileId: id });
      expect((await client.receiveMessage()).response.outcome.case).toBe('delete');
      client.sendMessage('DOWNLOAD', 6n, DownloadRequestSchema, { fileId: id });
      expect((await client.receiveMessage()).response.outcome).toMatchObject({
        case: 'failure',
        value: { code: 1002, error: 'FILE_NOT_FOUND', details: { file_id: id } },
      });
    }));
});

it('asks for credentials once, and holds calls to them', () =>
  withFiles(async ({ files }) => {
    const gate: Gate = {
      admit({ authorization }, need) {
        if (need === 'public') return everybody;
        if (authorization === 'Bearer reader' && (need === 'read' || need === 'account')) {
          return { ...everybody, name: 'ann', roles: ['reader'] };
        }
        const code = authorization === 'Bearer reader' ? 'permission_denied' : 'unauthenticated';
        throw new CairnError(code, 'not for you');
      },
    };
    await serve(files, gate);
    client.sendJson('LIST', 1n, {});
    expect(await client.receiveJson()).toMatchObject({ code: 5001 });
    client.sendMessage('AUTH', 2n, AuthRequestSchema, { username: 'ann', password: 'wrong' });
    expect((await client.receiveMessage()).response.outcome).toMatchObject({ value: { code: 5001 } });
    client.sendJson('AUTH', 3n, { token: 'reader' });
    client.sendJson('LIST', 4n, {});
    expect(await client.receiveJson()).toMatchObject({ data: { user: 'ann', roles: ['reader'] } });
    expect(await client.receiveJson()).toMatchObject({ data: { total: 0 } });
    client.sendJson('UPLOAD', 5n, { file_name: 'a', file_content: '' });
    expect(await client.receiveJson()).toMatchObject({ code: 5002 });
  }));
