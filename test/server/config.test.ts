import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import {
  defaultWorkers,
  parseBytes,
  parseChunking,
  parseListenAddress,
  parseOrigin,
  serverConfig,
} from '../../src/server/config.js';

describe('parseListenAddress', () => {
  it.each([
    ['127.0.0.1:9000', { face: 'all', host: '127.0.0.1', port: 9000 }],
    ['localhost:0', { face: 'all', host: 'localhost', port: 0 }],
    ['0.0.0.0:65535', { face: 'all', host: '0.0.0.0', port: 65_535 }],
    ['[::1]:9000', { face: 'all', host: '::1', port: 9000 }],
    ['[::ffff:127.0.0.1]:1', { face: 'all', host: '::ffff:127.0.0.1', port: 1 }],
    ['grpc=127.0.0.1:50051', { face: 'grpc', host: '127.0.0.1', port: 50_051 }],
    ['http=[::]:8080', { face: 'http', host: '::', port: 8080 }],
    ['my-host.example:80', { face: 'all', host: 'my-host.example', port: 80 }],
  ])('%s', (text, want) => {
    expect(parseListenAddress(text)).toEqual(want);
  });

  it.each([
    '',
    '9000',
    ':9000',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:x',
    '127.0.0.1:65536',
    '::1:9000',
    '[::1]',
    'tcp=127.0.0.1:1',
    '=127.0.0.1:1',
  ])('refuses %j', (text) => {
    let code = 'accepted';
    try {
      parseListenAddress(text);
    } catch (error) {
      code = errorCode(error);
    }
    expect(code).toBe('invalid_argument');
  });
});

describe('parseOrigin', () => {
  it.each(['*', 'null', 'https://app.example', 'http://localhost:5173', 'https://[::1]:8443', 'tauri://localhost'])(
    'takes %s',
    (text) => expect(parseOrigin(text)).toBe(text),
  );

  it.each(['', 'app.example', 'https://app.example/', 'https://App.example', 'https://app.example:443', 'https://a b'])(
    'refuses %j',
    (text) => expect(() => parseOrigin(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' })),
  );
});

describe('defaultWorkers', () => {
  it.each([
    [1, 0],
    [2, 2],
    [3, 3],
    [64, 4],
  ])('on %i processors: %i', (processors, want) => {
    expect(defaultWorkers(processors)).toBe(want);
  });

  it('are for servers that run by themselves', () => {
    expect(serverConfig().workers).toBe(0);
  });
});

it('defaults are safe ones, and settings replace them', () => {
  expect(serverConfig()).toMatchObject({
    listen: [{ face: 'all', host: '127.0.0.1', port: 9000 }],
    durability: 'disk',
    transportTokens: 'optional',
    corsOrigins: [],
    insecure: false,
  });
  expect(serverConfig({ insecure: true, data: '/x' })).toMatchObject({
    insecure: true,
    data: '/x',
    durability: 'disk',
  });
});

describe('parseChunking', () => {
  it.each([
    ['fastcdc', { kind: 'fastcdc', averageBytes: 512 * 1024 }],
    ['fastcdc:64KiB', { kind: 'fastcdc', averageBytes: 64 * 1024 }],
    ['fastcdc:1024', { kind: 'fastcdc', averageBytes: 1024 }],
    ['fixed', { kind: 'fixed', chunkBytes: 64 * 2 ** 20 }],
    ['fixed:1GiB', { kind: 'fixed', chunkBytes: 2 ** 30 }],
    ['fixed:1', { kind: 'fixed', chunkBytes: 1 }],
  ])('%s', (text, want) => {
    expect(parseChunking(text)).toEqual(want);
  });

  it.each([
    '',
    'rabin',
    'fastcdc:',
    'fastcdc:1000',
    'fastcdc:2MiB',
    'fixed:0',
    'fixed:2GiB',
    'fixed:1 MiB',
    'fixed:-1',
  ])('refuses %j', (text) => {
    expect(() => parseChunking(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['64KiB', 65_536],
    ['512MiB', 2 ** 29],
    ['2GiB', 2 ** 31],
  ])('%s', (text, want) => {
    expect(parseBytes(text)).toBe(want);
  });

  it.each(['', '-1', '1.5GiB', '1 GiB', '1GB', 'GiB', '12345678901'])('refuses %j', (text) => {
    expect(() => parseBytes(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
