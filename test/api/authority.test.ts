import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mendTarget } from '../../src/api/authority.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

describe('the target of a request', () => {
  it.each([
    { url: '/x?y', want: { url: '/x?y', host: 'beside' } },
    { url: '//x', want: { url: '//x', host: 'beside' } },
    { url: '/http://in', want: { url: '/http://in', host: 'beside' } },
    { url: '*', want: { url: '*', host: 'beside' } },
    { url: 'ftp://in/x', want: { url: 'ftp://in/x', host: 'beside' } },
    { url: 'http://in:80/x?y', want: { url: '/x?y', host: 'in:80' } },
    { url: 'HTTPS://in/a/../%2e%2e/b', want: { url: '/a/../%2e%2e/b', host: 'in' } },
    { url: 'http://in', want: { url: '/', host: 'in' } },
    { url: 'http://in?y', want: { url: '/?y', host: 'in' } },
    { url: 'http:///x', want: { url: '/x', host: '' } },
  ])('$url', ({ url, want }) => {
    const asked = { url, headers: { host: 'beside' } };
    mendTarget(asked);
    expect({ url: asked.url, host: asked.headers.host }).toEqual(want);
  });
});

describe('a server that is taken for a proxy', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve(new WatchedStore());
  });
  afterAll(() => served.server.close());

  const status = (path: string, host: string) =>
    new Promise((resolve, reject) => {
      const asked = request(served.url, { path, headers: { host }, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on('error', reject).end();
    });

  it('answers for itself, and goes by the host in the URL', async () => {
    const own = `127.0.0.1:${served.port}`;
    expect(await status(`http://${own}/healthz`, own)).toBe(200);
    expect(await status(`http://${own}/healthz`, 'evil.example')).toBe(200);
    expect(await status('http://evil.example/healthz', own)).toBe(403);
    expect(await status('http://user@127.0.0.1/healthz', own)).toBe(403);
  });
});
