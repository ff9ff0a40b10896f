import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type HttpVersion } from '../support/http-client.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

const page = 'https://app.example';
const other = 'https://other.example';
const empty = '/blobs/af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
const rpc = '/zako.v1.transport.Transport/Download';

let servers: Record<'none' | 'listed' | 'everyone', Served>;

beforeAll(async () => {
  // Not on loopback, so that the guard has no say and this file's subject alone answers.
  const settings = { listen: [{ face: 'all' as const, host: '0.0.0.0', port: 0 }], insecure: true };
  servers = {
    none: await serve(new WatchedStore(), settings),
    listed: await serve(new WatchedStore(), { ...settings, corsOrigins: [page] }),
    everyone: await serve(new WatchedStore(), { ...settings, corsOrigins: ['*'] }),
  };
});
afterAll(() => Promise.all(Object.values(servers).map(({ server }) => server.close())));

const tus = '/api/v1/tus';
/** What clients of tus send, and read in answers (tus 1.0, "Headers"). */
const tusRequest = ['tus-resumable', 'upload-length', 'upload-metadata', 'upload-offset', 'x-http-method-override'];
const tusAnswer = ['tus-resumable', 'tus-version', 'tus-extension', 'upload-offset', 'upload-length', 'upload-expires'];

const preflight = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'range' };

describe.each<HttpVersion>(['h1', 'h2'])('pre-flights over %s', (version) => {
  it.each([
    { server: 'none', origin: page, want: undefined },
    { server: 'listed', origin: page, want: page },
    { server: 'listed', origin: other, want: undefined },
    { server: 'everyone', origin: other, want: '*' },
  ] as const)('$server: $origin', async ({ server, origin, want }) => {
    for (const path of [empty, '/blobs', '/healthz', rpc, '/api/v1/files', tus, `${tus}/u_1`, '/anything']) {
      const { status, headers } = await ask(version, url(server) + path, {
        method: 'OPTIONS',
        headers: { origin, ...preflight },
      });
      expect(headers['access-control-allow-origin']).toBe(want);
      if (want === undefined) continue;
      expect(status).toBe(204);
      expect(words(headers['access-control-allow-methods'])).toEqual(
        expect.arrayContaining(['get', 'head', 'put', 'post', 'patch', 'delete']),
      );
      expect(words(headers['access-control-allow-headers'])).toEqual(
        expect.arrayContaining([
          ...['content-type', 'connect-protocol-version', 'x-grpc-web', 'authorization', 'range'],
          ...tusRequest,
        ]),
      );
    }
  });
});

describe.each<HttpVersion>(['h1', 'h2'])('answers over %s', (version) => {
  it.each([
    { server: 'none', origin: page, want: undefined, vary: undefined },
    { server: 'listed', origin: page, want: page, vary: 'Origin' },
    { server: 'listed', origin: other, want: undefined, vary: 'Origin' },
    { server: 'listed', origin: undefined, want: undefined, vary: 'Origin' },
    { server: 'everyone', origin: other, want: '*', vary: undefined },
    { server: 'everyone', origin: undefined, want: '*', vary: undefined },
  ] as const)('$server: $origin', async ({ server, origin, want, vary }) => {
    for (const path of [empty, '/blobs/xyz', '/api/v1/files', '/api/v1/files/f_1', `${tus}/u_1`, '/none']) {
      const { headers } = await ask(version, url(server) + path, { headers: origin === undefined ? {} : { origin } });
      expect([headers['access-control-allow-origin'], headers.vary]).toEqual([want, vary]);
      if (want === undefined) continue;
      expect(words(headers['access-control-expose-headers'])).toEqual(
        expect.arrayContaining([
          ...['grpc-status', 'grpc-message', 'grpc-status-details-bin'],
          ...['etag', 'content-range', 'accept-ranges', 'location', 'content-disposition', 'x-file-id'],
          ...tusAnswer,
        ]),
      );
    }
  });

  it('RPCs say the same', async () => {
    const { status, headers } = await ask(version, `${url('listed')}/cairn.v1.BlobService/Stat`, {
      method: 'POST',
      headers: { origin: page, 'content-type': 'application/json' },
      body: Buffer.from('{}'),
    });
    expect(status).toBeLessThan(500);
    expect(headers['access-control-allow-origin']).toBe(page);
    expect(words(headers['access-control-expose-headers'])).toContain('grpc-status');
  });
});

function url(name: keyof typeof servers): string {
  return `http://127.0.0.1:${new URL(servers[name].url).port}`;
}

function words(list: string | undefined): string[] {
  return (list ?? '').toLowerCase().split(/,\s*/);
}
