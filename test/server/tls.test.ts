// A server behind TLS: what it speaks with and without ALPN, whom it lets in, and that its certificates may change.

import { readFileSync, writeFileSync } from 'node:fs';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as tcpConnect } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeHeader } from '../../src/api/tcp/header.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import type { ServerConfig } from '../../src/server/config.js';
import { useAuthority } from '../support/certificates.js';
import { type Served, serve } from '../support/served.js';

const authority = useAuthority();
const others = useAuthority();

const served: Served[] = [];
afterEach(async () => {
  for (const { server } of served.splice(0)) await server.close();
});

async function start(settings: Partial<ServerConfig> = {}): Promise<Served> {
  const each = await serve(new MemoryStore(), { tls: { ...authority.server, clientCa: undefined }, ...settings });
  served.push(each);
  return each;
}

/** What comes back on one connection after these bytes, until the server ends it or enough has come. */
function say(port: number, bytes: string, options: ConnectionOptions, enough: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: '127.0.0.1', port, ca: authority.trusted, ...options }, () =>
      socket.write(bytes, 'latin1'),
    );
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (enough.test(text)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

const request = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
const healthy = /"status":"serving"/;

function getByHttp2(url: string, options: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const session = http2Connect(url, { ca: authority.trusted, ...options });
    session.on('error', reject);
    session.on('close', () => reject(new Error('closed')));
    const stream = session.request({ ':path': '/healthz' });
    stream.on('error', reject);
    stream.on('response', (headers) => {
      session.destroy();
      resolve(headers[':status']);
    });
  });
}

function getByHttps(url: string, options: object = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(`${url}/healthz`, { ca: authority.trusted, agent: false, ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    call.on('error', reject);
    call.end();
  });
}

describe('a server behind TLS', () => {
  it('says so in its address', async () => {
    expect((await start()).url).toMatch(/^https:/);
  });

  it('agrees on HTTP/2 or HTTP/1.1', async () => {
    const { url } = await start();
    expect(await getByHttp2(url)).toBe(200);
    expect(await getByHttps(url)).toBe(200);
    expect(await getByHttps(url, { ALPNProtocols: ['http/1.1'] })).toBe(200);
  });

  it('finds out by the first bytes where nothing was agreed on', async () => {
    const { port, url } = await start();
    expect(await say(port, request, {}, healthy)).toMatch(/^HTTP\/1\.1 200/);
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
    // A SETTINGS frame of the server's own, long enough for what it sets.
    expect((await say(port, preface, {}, /^[\s\S]{9,}/)).slice(3, 5)).toBe('\x04\0');
    const head = encodeHeader({ version: 1, type: 0x0010, length: 2n, requestId: 7n });
    expect(await say(port, `${head.toString('latin1')}{}`, {}, /LMOF/)).toMatch(/^LMOF/);
    const socket = tlsConnect({ host: '127.0.0.1', port, ca: authority.trusted });
    expect(await getByHttp2(url, { createConnection: () => socket })).toBe(200);
    expect(socket.alpnProtocol).toBe(false);
  });

  it('does not speak to who speaks plain text, and goes on', async () => {
    const { port, url } = await start();
    const text = await new Promise<string>((resolve) => {
      let heard = '';
      const socket = tcpConnect({ host: '127.0.0.1', port }, () => socket.write(request));
      socket.on('data', (piece) => {
        heard += piece.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(heard));
    });
    expect(text).not.toContain('HTTP');
    expect(await getByHttps(url)).toBe(200);
  });

  it('speaks no old TLS', async () => {
    const { port } = await start();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(say(port, request, old, healthy)).rejects.toBeDefined();
  });

  it('is not believed with a certificate that has ended', async () => {
    const { url } = await start({ tls: { ...authority.issue('localhost', { days: 0 }), clientCa: undefined } });
    await expect(getByHttps(url)).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
  });

  it('drains without waiting for who is still shaking hands', async () => {
    const { server, port } = await start({ drainMilliseconds: 60_000 });
    const socket = tcpConnect({ host: '127.0.0.1', port });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('connect', resolve));
    await expect.poll(async () => (await metrics(port)).includes('cairn_connections 2')).toBe(true);
    await server.close();
    await closed;
  });
});

async function metrics(port: number): Promise<string> {
  return say(port, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', {}, /$^/);
}

describe('clients with certificates', () => {
  it.each([
    { name: 'none', client: () => undefined, lets: false },
    { name: 'one of the authority', client: () => authority.issue('ann'), lets: true },
    { name: 'one that has ended', client: () => authority.issue('ann', { days: 0 }), lets: false },
    {
      name: 'one of another authority',
      client: () => others.issue('ann'),
      lets: false,
    },
  ])('with $name: $lets', async ({ client, lets }) => {
    const { port, url } = await start({ tls: { ...authority.server, clientCa: authority.ca } });
    const files = client();
    const identity = files && { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    const heard = say(port, request, { ...identity }, healthy).catch(() => '');
    expect(healthy.test(await heard)).toBe(lets);
    if (lets) expect(await getByHttp2(url, identity)).toBe(200);
    else await expect(getByHttp2(url, identity)).rejects.toBeDefined();
  });

  it('come as the account that their certificate names', async () => {
    const { url } = await start({ tls: { ...authority.server, clientCa: authority.ca } });
    const [root, ann, bob] = ['root', 'ann', 'bob'].map((name) => {
      const { cert, key } = authority.issue(name);
      return { cert: readFileSync(cert), key: readFileSync(key), ca: authority.trusted };
    });
    const call = (method: string, body: object, identity: object | undefined) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const options = { method: 'POST', agent: false, headers: { 'content-type': 'application/json' }, ...identity };
        const sent = httpsRequest(`${url}/cairn.v1.AccountService/${method}`, options, (response) => {
          let text = '';
          response.on('data', (piece) => {
            text += String(piece);
          });
          response.on('end', () => resolve({ status: response.statusCode!, text }));
        });
        sent.on('error', reject);
        sent.end(JSON.stringify(body));
      });
    expect((await call('CreateUser', { username: 'root', roles: ['ROLE_ADMIN'] }, ann)).status).toBe(200);
    expect((await call('CreateUser', { username: 'ann', roles: ['ROLE_READER'] }, ann)).status).toBe(401);
    expect((await call('CreateUser', { username: 'ann', roles: ['ROLE_READER'] }, root)).status).toBe(200);
    expect(JSON.parse((await call('GetUser', {}, ann)).text)).toMatchObject({ user: { username: 'ann' } });
    expect((await call('GetUser', {}, bob)).status).toBe(401);
    expect((await call('ListUsers', {}, ann)).status).toBe(403);
  });
});

describe('certificates', () => {
  const serial = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const socket = tlsConnect({ host: '127.0.0.1', port, ca: authority.trusted }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    });

  it('are read anew without a restart; bad ones change nothing', async () => {
    const { files, put } = authority.place(authority.server);
    const { server, port } = await start({ tls: { ...files, clientCa: undefined } });
    const before = await serial(port);
    writeFileSync(files.cert, 'nonsense');
    await server.reloadCertificates();
    expect(await serial(port)).toBe(before);
    put({ ...authority.issue('localhost'), key: authority.server.key });
    await server.reloadCertificates();
    expect(await serial(port)).toBe(before);
    put(authority.issue('localhost'));
    await server.reloadCertificates();
    expect(await serial(port)).not.toBe(before);
  });

  it.each([
    { name: 'a missing certificate', files: () => ({ cert: '/none', key: authority.server.key }) },
    { name: 'a missing key', files: () => ({ cert: authority.server.cert, key: '/none' }) },
    { name: 'a key of another', files: () => ({ cert: authority.server.cert, key: authority.issue('x').key }) },
    { name: 'a key for a certificate', files: () => ({ cert: authority.server.key, key: authority.server.key }) },
    { name: 'no authority', files: () => ({ ...authority.server, clientCa: authority.server.key }) },
  ])('$name keeps the server from starting', async ({ files }) => {
    await expect(start({ tls: { clientCa: undefined, ...files() } })).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });
});
