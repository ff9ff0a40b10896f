import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exposedGuard, isLoopback } from '../../src/api/guard.js';
import { ask, type HttpVersion } from '../support/http-client.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

interface Row {
  readonly name: string;
  readonly headers: (port: number) => Record<string, string>;
  readonly plain: number;
  /** With allowed host `store.example` and cross-origin callers from https://app.example. */
  readonly configured?: number;
  /** With cross-origin callers from everywhere. */
  readonly open?: number;
}

const table: Row[] = [
  { name: '127.0.0.1', headers: (port) => ({ host: `127.0.0.1:${port}` }), plain: 200 },
  { name: 'localhost on another port, as through a tunnel', headers: () => ({ host: 'localhost:1' }), plain: 200 },
  { name: 'localhost without port', headers: () => ({ host: 'LocalHost' }), plain: 200 },
  { name: 'a name under localhost', headers: () => ({ host: 'cairn.localhost' }), plain: 200 },
  { name: '127.9.9.9', headers: () => ({ host: '127.9.9.9' }), plain: 200 },
  { name: '[::1]', headers: () => ({ host: '[::1]:80' }), plain: 200 },
  { name: '::1 without brackets', headers: () => ({ host: '::1:80' }), plain: 200 },
  { name: 'another IPv6 address', headers: () => ({ host: '[fe80::1]:80' }), plain: 403 },
  { name: 'another IPv6 address without brackets', headers: () => ({ host: 'fe80::1:80' }), plain: 403 },
  { name: 'a re-pointed name', headers: () => ({ host: 'evil.example' }), plain: 403 },
  { name: 'a name that begins like ours', headers: () => ({ host: 'localhost.evil.example' }), plain: 403 },
  { name: 'a name that ends like ours', headers: () => ({ host: 'evil-localhost' }), plain: 403 },
  { name: 'an address of another machine', headers: () => ({ host: '10.0.0.1' }), plain: 403 },
  { name: 'an allowed name', headers: () => ({ host: 'Store.Example:9000' }), plain: 403, configured: 200 },
  {
    name: 'same origin',
    headers: (port) => ({ host: `localhost:${port}`, origin: `http://localhost:${port}` }),
    plain: 200,
  },
  { name: 'same origin behind TLS', headers: () => ({ host: 'localhost', origin: 'https://localhost' }), plain: 200 },
  {
    name: 'another port of this machine',
    headers: (port) => ({ host: `localhost:${port}`, origin: 'http://localhost:1' }),
    plain: 403,
    open: 200,
  },
  { name: 'another site', headers: () => ({ origin: 'https://evil.example' }), plain: 403, open: 200 },
  {
    name: 'another site that names itself as host',
    headers: () => ({ host: 'evil.example', origin: 'http://evil.example' }),
    plain: 403,
  },
  { name: 'a page without origin', headers: () => ({ origin: 'null' }), plain: 403, open: 200 },
  { name: 'nonsense for an origin', headers: () => ({ origin: '%%' }), plain: 403, open: 200 },
  {
    name: 'a configured origin',
    headers: () => ({ origin: 'https://app.example' }),
    plain: 403,
    configured: 200,
    open: 200,
  },
  {
    name: 'a configured origin in another scheme',
    headers: () => ({ origin: 'http://app.example' }),
    plain: 403,
    open: 200,
  },
  {
    name: 'embedded by another site',
    headers: () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }),
    plain: 403,
    open: 200,
  },
  {
    name: 'a link on another site',
    headers: () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }),
    plain: 200,
  },
  {
    name: 'embedded by ourselves',
    headers: () => ({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors' }),
    plain: 200,
  },
];

let servers: Record<'plain' | 'configured' | 'open', Served>;

beforeAll(async () => {
  servers = {
    plain: await serve(new WatchedStore()),
    configured: await serve(new WatchedStore(), {
      allowedHosts: ['store.example'],
      corsOrigins: ['https://app.example'],
    }),
    open: await serve(new WatchedStore(), { corsOrigins: ['*'] }),
  };
});
afterAll(() => Promise.all(Object.values(servers).map(({ server }) => server.close())));

describe.each<HttpVersion>(['h1', 'h2'])('a loopback server over %s', (version) => {
  it.each(table)('$name', async ({ headers, plain, configured = plain, open = plain }) => {
    const statuses = await Promise.all(
      [servers.plain, servers.configured, servers.open].map(async ({ url, port }) => {
        const answer = await ask(version, `${url}/healthz`, { headers: headers(port) });
        if (answer.status === 403) expect(JSON.parse(answer.body.toString()).code).toBe('permission_denied');
        return answer.status;
      }),
    );
    expect(statuses).toEqual([plain, configured, open]);
  });

  it('refuses uploads and calls before their bodies', async () => {
    for (const path of ['/blobs', '/cairn.v1.BlobService/Delete', '/none']) {
      const answer = await ask(version, servers.plain.url + path, {
        method: 'POST',
        headers: { origin: 'https://evil.example', expect: '100-continue', 'content-type': 'application/json' },
      });
      expect([path, answer.status, answer.continued]).toEqual([path, 403, false]);
    }
  });
});

it('HTTP/2 requests with two names need two good ones', async () => {
  const { url } = servers.plain;
  const { connect } = await import('node:http2');
  const session = connect(url);
  const stream = session.request({ ':path': '/healthz', ':authority': 'localhost', host: 'evil.example' });
  const status = await new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
  session.destroy();
  expect(status).toBe(403);
});

it('a server on every address answers to every name', async () => {
  const listen = [{ face: 'all' as const, host: '0.0.0.0', port: 0 }];
  const { server } = await serve(new WatchedStore(), { listen, insecure: true });
  const port = new URL(server.listeners[0]!.url).port;
  const answer = await ask('h1', `http://127.0.0.1:${port}/healthz`, { headers: { host: 'store.example' } });
  await server.close();
  expect(answer.status).toBe(200);
});

describe('a server on other addresses', () => {
  const basic = 'Basic YTpi';
  const foreign = { host: 'store.example', origin: 'https://evil.example' };
  it.each<{ name: string; headers: Record<string, string>; plain: boolean; asking: boolean }>([
    { name: 'a program', headers: { host: 'store.example' }, plain: true, asking: true },
    { name: 'a program with a password', headers: { host: 'x', authorization: basic }, plain: true, asking: true },
    { name: 'a foreign page', headers: foreign, plain: true, asking: false },
    {
      name: 'a foreign page with a token',
      headers: { ...foreign, authorization: 'Bearer x' },
      plain: true,
      asking: true,
    },
    {
      name: 'a foreign page with a password',
      headers: { ...foreign, authorization: basic },
      plain: false,
      asking: false,
    },
    {
      name: 'a page of its own with a password',
      headers: { host: 'store.example', origin: 'https://store.example', authorization: basic },
      plain: true,
      asking: true,
    },
    {
      name: 'a configured page with a password',
      headers: { ...foreign, origin: 'https://app.example', authorization: basic },
      plain: true,
      asking: true,
    },
    {
      name: 'what a foreign page embeds',
      headers: {
        host: 'store.example',
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'no-cors',
        authorization: basic,
      },
      plain: false,
      asking: false,
    },
  ])('lets in $name: $plain, asking for certificates: $asking', ({ headers, plain, asking }) => {
    const corsOrigins = ['https://app.example'];
    const lets = [false, true].map((asksForCertificates) =>
      exposedGuard({ corsOrigins, asksForCertificates })({ headers }),
    );
    expect(lets.map((refusal) => refusal === undefined)).toEqual([plain, asking]);
  });
});

it.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.1.1', false],
  ['example.com', false],
  ['', false],
])('isLoopback(%s) is %s', (host, want) => {
  expect(isLoopback(host)).toBe(want);
});
