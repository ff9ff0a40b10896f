import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashHex } from '../../../../src/base/digest.js';
import { digestBlob } from '../../../../src/blake3/hasher.js';
import { FileServer } from '../../../support/file-server.js';

const bytes = Buffer.from('some blob');
const chunkId = `c_${hashHex(digestBlob(bytes).hash)}`;
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const whole = expect.any(Number);

let server: FileServer;
beforeAll(async () => {
  server = await FileServer.start({ nodeId: 'n 1' });
  await server.ask('POST', '/blobs', { body: bytes });
});
afterAll(() => server.close());

const maintenance = '/api/v1/nodes/n%201/maintenance';

describe('a node alone', () => {
  it('is a healthy cluster', async () => {
    const { data } = await server.call('GET', '/api/v1/cluster/status');
    expect(data).toEqual({
      cluster_id: expect.stringMatching(/^cairn-[0-9a-f]{12}$/),
      version: expect.stringMatching(/^v\d+\.\d+\.\d+/),
      master_count: 1,
      datanode_count: 1,
      total_capacity: whole,
      used_capacity: bytes.length,
      available_capacity: whole,
      file_count: 0,
      chunk_count: 1,
      status: 'healthy',
    });
    const [total, available] = [Number(data?.total_capacity), Number(data?.available_capacity)];
    expect(total).toBe(available + bytes.length);
    expect(available).toBeGreaterThan(0);
    await server.restart();
    expect((await server.call('GET', '/api/v1/cluster/status')).data?.cluster_id).toBe(data?.cluster_id);
  });

  it.each(['', '?type=master', '?type=datanode', '?type=datanode&status=online', '?page=1&page_size=500'])(
    'is the only one of /nodes%s',
    async (query) => {
      const { data } = await server.call('GET', `/api/v1/nodes${query}`);
      expect(data).toMatchObject({ total: 1, page: 1, page_size: query.includes('500') ? 100 : 20 });
      expect(data?.nodes).toEqual([
        {
          node_id: 'n 1',
          address: new URL(server.url).host,
          roles: ['master', 'datanode'],
          status: 'online',
          capacity: whole,
          used: bytes.length,
          available: whole,
          chunk_count: 1,
          last_heartbeat: time,
        },
      ]);
    },
  );

  it.each(['?status=offline', '?status=maintenance', '?page=2'])('is none of /nodes%s', async (query) => {
    expect((await server.call('GET', `/api/v1/nodes${query}`)).data?.nodes).toEqual([]);
  });

  it.each(['?type=worker', '?status=up', '?page=0', '?page_size=-1'])('refuses /nodes%s', async (query) => {
    expect(await server.call('GET', `/api/v1/nodes${query}`)).toMatchObject({ status: 400, code: 1001 });
  });

  it('leads itself', async () => {
    const { data } = await server.call('GET', '/api/v1/raft/status');
    const index = Number(data?.commit_index);
    expect(data).toEqual({
      node_id: 'n 1',
      state: 'Leader',
      term: whole,
      leader_id: 'n 1',
      commit_index: index,
      last_applied: index,
      peers: [],
    });
  });
});

describe('maintenance', () => {
  it('refuses what is new, outlives a restart, and ends', async () => {
    const put = async (text: string) => (await server.ask('POST', '/blobs', { body: Buffer.from(text) })).status;
    expect((await server.call('POST', maintenance)).data).toMatchObject({ node_id: 'n 1', status: 'maintenance' });
    expect(await put('one')).toBe(503);
    await server.restart();
    expect(await put('one')).toBe(503);
    expect((await server.call('GET', '/api/v1/nodes?status=maintenance')).data?.total).toBe(1);
    expect((await server.call('GET', '/api/v1/cluster/status')).data?.status).toBe('degraded');
    // What is there can still be read.
    expect((await server.ask('GET', `/blobs/${chunkId.slice(2)}`)).status).toBe(200);
    for (let again = 0; again < 2; again++) {
      expect((await server.call('DELETE', maintenance)).data).toMatchObject({ status: 'online' });
    }
    expect(await put('one')).toBe(201);
    await server.restart();
    expect(await put('two')).toBe(201);
  });

  it.each(['POST', 'DELETE'])('%s knows no other node', async (method) => {
    expect(await server.call(method, '/api/v1/nodes/n%202/maintenance')).toMatchObject({
      status: 404,
      code: 1005,
      error: 'NODE_NOT_FOUND',
      message: 'node not found',
      details: { node_id: 'n 2', timestamp: time },
    });
  });
});

describe('recovery', () => {
  const start = (json: unknown) => server.call('POST', '/api/v1/recovery/start', { json });

  it('verifies chunks that are here', async () => {
    const { data } = await start({ chunk_ids: [chunkId, chunkId], priority: 'high' });
    const taskId = String(data?.task_id);
    expect(data).toMatchObject({
      task_id: expect.stringMatching(/^t_[0-9a-f]{12}$/),
      priority: 'high',
      total_chunks: 2,
    });
    await expect
      .poll(async () => (await server.call('GET', `/api/v1/recovery/${taskId}`)).data)
      .toMatchObject({ status: 'completed', verified_chunks: 2, lost_chunks: [], started_at: time });
  });

  it.each([`c_${'0'.repeat(64)}`, 'c_abc123', '', chunkId.slice(2)])('knows no chunk %j', async (id) => {
    expect(await start({ chunk_ids: [chunkId, id] })).toMatchObject({
      status: 404,
      code: 1004,
      error: 'CHUNK_NOT_FOUND',
      details: { chunk_id: id },
    });
  });

  it.each([
    {},
    { chunk_ids: [] },
    { chunk_ids: chunkId },
    { chunk_ids: [1] },
    { chunk_ids: [chunkId], priority: 'urgent' },
  ])('refuses %j', async (json) => {
    expect(await start(json)).toMatchObject({ status: 400, code: 1001, error: 'INVALID_PARAMETER' });
  });

  it('knows no other task', async () => {
    expect((await server.call('GET', '/api/v1/recovery/t_0')).status).toBe(404);
  });
});

describe('rebalancing', () => {
  it('is idle, and done at once', async () => {
    await server.restart();
    const idle = { status: 'idle', progress: 0, migrated_chunks: 0, total_chunks: 0, started_at: null };
    expect((await server.call('GET', '/api/v1/rebalance/status')).data).toMatchObject(idle);
    const json = { strategy: 'balance_by_capacity', max_migration_rate: 104_857_600 };
    const done = { status: 'completed', progress: 100, migrated_chunks: 0, total_chunks: 0, started_at: time };
    expect((await server.call('POST', '/api/v1/rebalance/start', { json })).data).toMatchObject(done);
    expect((await server.call('GET', '/api/v1/rebalance/status')).data).toMatchObject(done);
  });

  it.each([{}, { strategy: 'by_luck' }, { strategy: 'balance_by_capacity', max_migration_rate: 0 }])(
    'refuses %j',
    async (json) => {
      expect(await server.call('POST', '/api/v1/rebalance/start', { json })).toMatchObject({ status: 400, code: 1001 });
    },
  );
});
