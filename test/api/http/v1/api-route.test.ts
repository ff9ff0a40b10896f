import { gzipSync } from 'node:zlib';
import { Type } from '@sinclair/typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiRoute, apiRoute } from '../../../../src/api/http/v1/api-route.js';
import { oneOf, pageQuery } from '../../../../src/api/http/v1/schemas.js';
import { CairnError } from '../../../../src/base/errors.js';
import { limits } from '../../../../src/base/limits.js';
import { type ServedRoutes, serveRoutes } from '../../../support/api-routes.js';
import { ask } from '../../../support/http-client.js';

const routes: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/pages',
    need: 'read',
    summary: 'the page asked for',
    query: Type.Object({
      ...pageQuery,
      kind: Type.Optional(oneOf(['red', 'blue'])),
      prefix: Type.Optional(Type.String()),
    }),
    handle: ({ query }) => query,
  }),
  apiRoute({
    method: 'POST',
    path: '/api/sums',
    need: 'read',
    summary: 'a sum',
    body: Type.Object({ numbers: Type.Array(Type.Integer(), { maxItems: 1000 }) }),
    data: Type.Integer(),
    handle: ({ body }) => body.numbers.reduce((sum, number) => sum + number, 0),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/things/{thing_id}/parts/{part}',
    need: 'read',
    summary: 'nothing',
    handle: ({ path }) => {
      if (path('thing_id') !== 'a/b') throw new CairnError('not_found', path('part'));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/fault',
    need: 'read',
    summary: 'fails',
    handle: () => {
      throw new Error('secret');
    },
  }),
];

let served: ServedRoutes;
beforeAll(async () => {
  served = await serveRoutes(routes);
});
afterAll(() => served.close());

async function call(method: string, path: string, body?: string | Uint8Array, extra: Record<string, string> = {}) {
  const headers = { ...(body !== undefined && { 'content-type': 'application/json' }), ...extra };
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const answer = await ask('h1', `${served.url}${path}`, { method, headers, body: bytes });
  return { status: answer.status, headers: answer.headers, body: JSON.parse(answer.body.toString()) };
}

describe('an answer', () => {
  it('has an envelope around its data', async () => {
    const { status, headers, body } = await call('POST', '/api/sums', '{"numbers": [1, 2]}');
    expect([status, body]).toEqual([200, { code: 0, message: 'success', data: 3 }]);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  });

  it('has no data where there is none', async () => {
    const { body } = await call('DELETE', '/api/things/a%2Fb/parts/1');
    expect(body).toEqual({ code: 0, message: 'success' });
  });

  it('is an error with number, name and time', async () => {
    const { status, body } = await call('DELETE', '/api/things/x/parts/%C3%A9');
    expect(status).toBe(404);
    expect(body).toEqual({
      code: 1001,
      message: 'é',
      error: 'INVALID_PARAMETER',
      details: { timestamp: expect.any(String) },
    });
    expect(body.details.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it.each([
    { name: 'no such path', method: 'GET', path: '/api/none', status: 404, code: 1001 },
    { name: 'no such method', method: 'POST', path: '/api/pages', status: 405, code: 1001 },
    { name: 'a path that is no text', method: 'DELETE', path: '/api/things/%ff/parts/1', status: 400, code: 1001 },
    { name: 'a fault of ours', method: 'GET', path: '/api/fault', status: 500, code: 4001 },
  ])('is one for $name', async ({ method, path, status, code }) => {
    const answer = await call(method, path);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });
});

describe('the query', () => {
  it.each([
    { query: '', want: { page: 1, page_size: 20 } },
    { query: '?page=3&page_size=10', want: { page: 3, page_size: 10 } },
    { query: '?page_size=101', want: { page: 1, page_size: 101 } },
    { query: '?page=2&page_size=99999999', want: { page: 2, page_size: 99_999_999 } },
    { query: '?kind=red&unknown=1', want: { page: 1, page_size: 20, kind: 'red' } },
    { query: '?prefix=%E6%96%87+%2F&', want: { page: 1, page_size: 20, prefix: '文 /' } },
    { query: '?prefix=', want: { page: 1, page_size: 20, prefix: '' } },
  ])('$query is understood', async ({ query, want }) => {
    expect((await call('GET', `/api/pages${query}`)).body.data).toEqual(want);
  });

  it.each([
    { query: '?page=0', parameter: 'page' },
    { query: '?page=-1', parameter: 'page' },
    { query: '?page=', parameter: 'page' },
    { query: '?page=1.5', parameter: 'page' },
    { query: '?page=1e3', parameter: 'page' },
    { query: '?page=0x10', parameter: 'page' },
    { query: '?page=99999999999999999999', parameter: 'page' },
    { query: '?page_size=0', parameter: 'page_size' },
    { query: '?page_size=ten', parameter: 'page_size' },
    { query: '?page=1&page=2', parameter: 'page' },
    { query: '?kind=green', parameter: 'kind' },
    { query: '?kind=', parameter: 'kind' },
  ])('$query is refused', async ({ query, parameter }) => {
    const { status, body } = await call('GET', `/api/pages${query}`);
    expect([status, body.code, body.error]).toEqual([400, 1001, 'INVALID_PARAMETER']);
    expect(body.details).toMatchObject({ parameter });
  });
});

describe('a JSON body', () => {
  it('may come compressed', async () => {
    const { body } = await call('POST', '/api/sums', gzipSync('{"numbers": [4]}'), { 'content-encoding': 'gzip' });
    expect(body.data).toBe(4);
  });

  it.each([
    { name: 'empty', body: '', status: 400 },
    { name: 'cut off', body: '{"numbers": [1', status: 400 },
    { name: 'of another shape', body: '[]', status: 400, parameter: undefined },
    { name: 'null', body: 'null', status: 400 },
    { name: 'without a member', body: '{}', status: 400, parameter: 'numbers' },
    { name: 'with a wrong member', body: '{"numbers": [1, "2"]}', status: 400, parameter: 'numbers' },
    { name: 'with fractions', body: '{"numbers": [1.5]}', status: 400, parameter: 'numbers' },
    {
      name: 'with too many',
      body: JSON.stringify({ numbers: new Array(1001).fill(1) }),
      status: 400,
      parameter: 'numbers',
    },
    { name: 'deep', body: '['.repeat(500_000), status: 400 },
    { name: 'deep and closed', body: '['.repeat(400_000) + ']'.repeat(400_000), status: 400 },
    {
      name: 'deep where it is looked at',
      body: `{"numbers": ${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
      status: 400,
      parameter: 'numbers',
    },
    { name: 'too long', body: `{"numbers": [${' '.repeat(limits.jsonBodyBytesMax)}]}`, status: 413 },
    { name: 'no UTF-8', body: Buffer.from([0x22, 0xff, 0x22]), status: 400 },
    { name: 'a bomb', body: gzipSync(Buffer.alloc(100_000_000, ' ')), encoding: 'gzip', status: 413 },
    { name: 'no gzip', body: '{"numbers": [1]}', encoding: 'gzip', status: 400 },
  ])('is refused: $name', async ({ body, status, parameter, encoding }) => {
    const extra: Record<string, string> = encoding === undefined ? {} : { 'content-encoding': encoding };
    const answer = await call('POST', '/api/sums', body, extra);
    expect([answer.status, answer.body.code]).toEqual([status, 1001]);
    expect(answer.body.details.parameter).toBe(parameter);
    expect((await call('POST', '/api/sums', '{"numbers": [1, 2]}')).body.data).toBe(3);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])('is not %s', async (type) => {
    const { status, body } = await call('POST', '/api/sums', '{"numbers": []}', { 'content-type': type });
    expect([status, body.code]).toEqual([400, 1001]);
  });
});
