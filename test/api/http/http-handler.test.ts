import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGate } from '../../../src/api/auth/gate.js';
import type { Call } from '../../../src/api/call-log.js';
import { httpFace } from '../../../src/api/http/http-handler.js';
import { createMetrics } from '../../../src/api/http/metrics.js';
import type { ServingStatus } from '../../../src/api/rpc/serving-state.js';
import { emptyDigest, hashHex } from '../../../src/base/digest.js';
import { CairnError } from '../../../src/base/errors.js';
import { systemRandom } from '../../../src/base/random.js';
import { ask } from '../../support/http-client.js';
import { WatchedStore } from '../../support/served.js';
import { streamMemory } from '../../support/stream-memory.js';

let server: Server;
let url: string;
let serving: { status: ServingStatus };
let calls: Call[];
let errors: object[];
let store: WatchedStore;

beforeEach(async () => {
  store = new WatchedStore();
  serving = { status: 'serving' };
  calls = [];
  errors = [];
  let id = 0;
  const metrics = createMetrics({
    connections: () => 3,
    once: { usage: () => store.usage(), ignoredTokens: () => 2 },
  });
  const face = httpFace({
    store,
    gate: openGate,
    ...streamMemory(),
    random: systemRandom,
    logger: { error: (fields) => errors.push(fields), warn: () => {} },
    metrics,
    serving,
    nextCallId: () => `call-${++id}`,
    onCall: (call) => {
      calls.push(call);
      metrics.observeCall(call);
    },
  });
  server = createServer(face.handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const emptyPath = `/blobs/${hashHex(emptyDigest.hash)}`;

describe('routes', () => {
  it.each([
    { method: 'GET', path: '/', status: 404 },
    { method: 'GET', path: '/none', status: 404 },
    { method: 'GET', path: '/blobs/a/b', status: 404 },
    { method: 'GET', path: '/blobs', status: 405, allow: 'POST, OPTIONS' },
    { method: 'POST', path: emptyPath, status: 405, allow: 'GET, PUT, DELETE, HEAD, OPTIONS' },
    { method: 'PATCH', path: emptyPath, status: 405, allow: 'GET, PUT, DELETE, HEAD, OPTIONS' },
    { method: 'DELETE', path: '/healthz', status: 405, allow: 'GET, HEAD, OPTIONS' },
    { method: 'OPTIONS', path: emptyPath, status: 204, allow: 'GET, PUT, DELETE, HEAD, OPTIONS' },
    { method: 'OPTIONS', path: '/none', status: 404 },
  ])('$method $path is $status', async ({ method, path, status, allow }) => {
    const answer = await ask('h1', url + path, { method });
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    if (status >= 400) expect(JSON.parse(answer.body.toString())).toMatchObject({ code: expect.any(String) });
  });
});

describe('/healthz', () => {
  it.each([
    { state: 'serving' as const, status: 200 },
    { state: 'read_only' as const, status: 503 },
    { state: 'draining' as const, status: 503 },
  ])('says $state', async ({ state, status }) => {
    serving.status = state;
    const answer = await ask('h1', `${url}/healthz`);
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([status, { status: state }]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect((await ask('h1', `${url}/healthz`, { method: 'HEAD' })).body.length).toBe(0);
  });
});

describe('/metrics', () => {
  it('counts calls, bytes, the store, connections and the event loop', async () => {
    await ask('h1', `${url}/blobs`, { method: 'POST', body: Buffer.from('twelve bytes') });
    await ask('h1', url + emptyPath);
    await ask('h1', `${url}/blobs/xyz`);
    const answer = await ask('h1', `${url}/metrics`);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=/);
    const lines = answer.body.toString().split('\n');
    for (const line of [
      'cairn_calls_total{protocol="http",method="POST /blobs",code="ok"} 1',
      'cairn_calls_total{protocol="http",method="GET /blobs/{hash}",code="ok"} 1',
      'cairn_calls_total{protocol="http",method="GET /blobs/{hash}",code="invalid_argument"} 1',
      'cairn_call_bytes_total{protocol="http",method="POST /blobs",direction="in"} 12',
      'cairn_call_duration_seconds_count{protocol="http",method="GET /blobs/{hash}"} 2',
      'cairn_store_blobs 1',
      'cairn_store_bytes 12',
      'cairn_connections 3',
      'cairn_transport_tokens_ignored 2',
    ]) {
      expect(lines).toContain(line);
    }
    expect(answer.body.toString()).toContain('nodejs_eventloop_lag_seconds');
  });
});

describe('call records', () => {
  it('one for each call, with what went each way', async () => {
    await ask('h1', `${url}/blobs`, { method: 'POST', body: Buffer.from('twelve bytes') });
    await ask('h1', url + emptyPath, { method: 'HEAD' });
    await ask('h1', `${url}/blobs/xyz`);
    await ask('h1', `${url}/none`);
    expect(calls).toMatchObject([
      { id: 'call-1', protocol: 'http', method: 'POST /blobs', code: 'ok', bytesIn: 12 },
      { id: 'call-2', method: 'HEAD /blobs/{hash}', code: 'ok', bytesIn: 0, bytesOut: 0 },
      { method: 'GET /blobs/{hash}', code: 'invalid_argument' },
      { method: 'other', code: 'not_found' },
    ]);
    for (const { peer, milliseconds } of calls) {
      expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(milliseconds).toBeGreaterThan(0);
    }
    expect(errors).toEqual([]);
  });

  it('a fault of ours is logged with its cause, and not told', async () => {
    const cause = new CairnError('internal', 'the secret reason');
    store.stat = () => Promise.reject(cause);
    const answer = await ask('h1', url + emptyPath, { method: 'PUT', body: Buffer.from('x') });
    expect(answer.status).toBe(500);
    expect(answer.body.toString()).not.toContain('secret');
    await expect.poll(() => errors).toMatchObject([{ err: cause, code: 'internal', method: 'PUT /blobs/{hash}' }]);
  });
});
