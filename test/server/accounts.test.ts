// A whole server with accounts, over plain HTTP: who is let in where, and that nothing is read of who is not.

import { request as http1Request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashHex } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { connect } from '../../src/client/client.js';
import { basic, password } from '../support/accounts.js';
import { type Answered, type Asked, ask, type HttpVersion } from '../support/http-client.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

let store: WatchedStore;
let served: Served;
/** Tokens of one account for each role, and one that may only write. */
const tokens: Record<string, string> = {};
const origin = 'https://app.example';

beforeAll(async () => {
  store = new WatchedStore();
  served = await serve(store, { corsOrigins: [origin] });
  const open = connect(served.url);
  await (await open.accounts()).addAccount({ name: 'root', roles: ['admin'], password });
  open.close();
  const client = connect(served.url, { user: 'root', password });
  const accounts = await client.accounts();
  for (const name of ['reader', 'writer', 'admin', 'node'] as const) {
    await accounts.addAccount({ name, roles: [name] });
    tokens[name] = (await accounts.createToken({ account: name })).token;
  }
  tokens.scoped = (await accounts.createToken({ account: 'writer', operations: ['write'] })).token;
  client.close();
});
afterAll(() => served.server.close());

const blob = Buffer.from('hello');
const hex = hashHex(digestBlob(blob).hash);
const outcomes = ['nobody', 'reader', 'writer', 'admin', 'node', 'scoped'] as const;

describe.each<HttpVersion>(['h1', 'h2'])('over %s', (version) => {
  const as = (who: string, path: string, asked: Asked = {}): Promise<Answered> => {
    const headers = who === 'nobody' ? {} : { authorization: `Bearer ${tokens[who]}` };
    return ask(version, served.url + path, { ...asked, headers: { ...asked.headers, ...headers } });
  };

  it.each([
    { method: 'GET', path: '/healthz', want: [200, 200, 200, 200, 200, 200] },
    { method: 'GET', path: '/none', want: [404, 404, 404, 404, 404, 404] },
    { method: 'OPTIONS', path: '/blobs', want: [204, 204, 204, 204, 204, 204] },
    { method: 'GET', path: '/api/v1/openapi.json', want: [200, 200, 200, 200, 200, 200] },
    { method: 'GET', path: '/metrics', want: [401, 200, 200, 200, 200, 403] },
    { method: 'POST', path: '/blobs', body: blob, want: [401, 403, 201, 200, 200, 200] },
    { method: 'GET', path: `/blobs/${hex}`, want: [401, 200, 200, 200, 200, 403] },
    { method: 'HEAD', path: `/blobs/${hex}`, want: [401, 200, 200, 200, 200, 403] },
    { method: 'PUT', path: `/blobs/${hex}`, body: blob, want: [401, 403, 200, 200, 200, 200] },
    { method: 'DELETE', path: `/blobs/${hex}`, want: [401, 403, 204, 404, 404, 403] },
    { method: 'GET', path: '/api/v1/files', want: [401, 200, 200, 200, 200, 403] },
    { method: 'GET', path: '/api/v1/nodes', want: [401, 200, 200, 200, 200, 403] },
    { method: 'POST', path: '/api/v1/nodes/none/maintenance', want: [401, 403, 403, 404, 403, 403] },
  ])('$method $path', async ({ method, path, body, want }) => {
    const got: number[] = [];
    for (const who of outcomes) got.push((await as(who, path, { method, body })).status);
    expect(got).toEqual(want);
  });

  it('says how to present credentials, in the form of each face', async () => {
    const plain = await as('nobody', `/blobs/${hex}`);
    expect(plain.headers['www-authenticate']).toMatch(/^Bearer .*Basic /);
    expect(JSON.parse(plain.body.toString())).toMatchObject({ code: 'unauthenticated' });
    const api = await as('nobody', '/api/v1/files');
    expect(JSON.parse(api.body.toString())).toMatchObject({ code: 5001, error: 'AUTHENTICATION_FAILED' });
    const denied = await as('reader', '/api/v1/uploads', { method: 'POST' });
    expect(JSON.parse(denied.body.toString())).toMatchObject({ code: 5002, error: 'PERMISSION_DENIED' });
  });

  it('every route of the API of files asks for credentials', async () => {
    const { paths } = JSON.parse((await as('nobody', '/api/v1/openapi.json')).body.toString()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const open: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods).filter((name) => /^(get|put|post|patch|delete)$/.test(name))) {
        const { status } = await as('nobody', path.replace(/\{\w+\}/g, 'x'), { method: method.toUpperCase() });
        if (status !== 401) open.push(`${method} ${path} ${status}`);
      }
    }
    expect(open).toEqual(['get /api/v1/openapi.json 200']);
  });

  it('what one is shown is for no cache that answers others', async () => {
    await as('writer', '/blobs', { method: 'POST', body: blob });
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await as('reader', `/blobs/${hex}`, { method });
      expect(headers['cache-control']).toMatch(/^private, max-age=\d+, immutable$/);
    }
    await store.delete([digestBlob(blob).hash]);
  });

  it('another method in a header changes nothing', async () => {
    const headers = { 'x-http-method-override': 'PATCH', 'tus-resumable': '1.0.0' };
    const discovery = await as('nobody', '/api/v1/tus/x', { method: 'OPTIONS', headers });
    expect(discovery.status).toBe(204);
    const written = await as('reader', '/api/v1/tus/x', { method: 'HEAD', headers });
    expect(written.status).toBe(404);
  });

  it('takes passwords too, and asks again for wrong ones', async () => {
    const get = (authorization: string) => ask(version, `${served.url}/metrics`, { headers: { authorization } });
    expect((await get(basic('root'))).status).toBe(200);
    expect((await get(basic('root', 'wrong horse'))).status).toBe(401);
    expect((await get(basic('none'))).status).toBe(401);
    expect((await get('Bearer none')).status).toBe(401);
  });

  it('asks for no body of whom it does not let in', async () => {
    const headers = { expect: '100-continue', 'content-length': '5' };
    for (const path of ['/blobs', '/api/v1/files', '/cairn.v1.BlobService/BatchWrite']) {
      const asked = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: blob };
      const answer = await as('nobody', path, asked);
      expect([path, answer.status, answer.continued]).toEqual([path, 401, false]);
    }
    expect(await as('writer', '/blobs', { method: 'POST', headers, body: blob })).toMatchObject({ continued: true });
    await store.delete([digestBlob(blob).hash]);
  });

  it('answers pre-flights of pages that may call, without credentials', async () => {
    const preflight = {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization',
    };
    const allowed = await as('nobody', `/blobs/${hex}`, { method: 'OPTIONS', headers: preflight });
    expect(allowed.status).toBe(204);
    expect(allowed.headers['access-control-allow-headers']).toMatch(/authorization/i);
    const refused = await as('nobody', `/blobs/${hex}`, { headers: { origin } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, origin]);
  });

  it('keeps pages of others from using a remembered password', async () => {
    const headers = { origin: 'https://evil.example', authorization: basic('root') };
    expect((await ask(version, `${served.url}/metrics`, { headers })).status).toBe(403);
  });
});

it('answers before a body that never comes, and writes nothing of it', async () => {
  const before = store.writesBegun;
  const status = await new Promise((resolve, reject) => {
    const headers = { 'content-length': '1000000' };
    const request = http1Request(`${served.url}/blobs`, { method: 'POST', headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      request.destroy();
      resolve(response.statusCode);
    });
    request.flushHeaders();
  });
  expect(status).toBe(401);
  expect(store.writesBegun).toBe(before);
});
