import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-serve-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('serve', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('prints one line when ready and ends well on %s', async (signal) => {
    const server = await startCairnServer(['--data', join(directory, 'data')]);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.stdout()).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\n$/);
    await expect.poll(() => server.stderr(), { timeout: 20_000 }).toContain(`--server ${server.url}`);
    expect(await server.stop(signal)).toBe(exitCodes.ok);
    expect(server.stdout().split('\n')).toHaveLength(2);
  });

  it('prints a line for each listener, in order', async () => {
    const child = spawnCairn(
      [
        'serve',
        '--listen',
        'grpc=127.0.0.1:0',
        '--listen',
        'http=127.0.0.1:0',
        '--data',
        join(directory, 'data'),
      ].concat([
        '--durability',
        'memory',
        '--advertise',
        '127.0.0.1:9',
        '--cors-origin',
        'https://a.example',
        '--cors-origin',
        'https://b.example',
        '--allow-host',
        'cairn.test',
        '--transport-tokens',
        'required',
        '--log-level',
        'silent',
        '--drain-seconds',
        '1',
      ]),
    );
    const ended = finished(child);
    const urls: string[] = [];
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (bytes) => {
        urls.push(...[...String(bytes).matchAll(/http:\S+/g)].map(([url]) => url));
        if (urls.length === 2) resolve();
      });
    });
    expect((await fetch(`${urls[1]}/healthz`)).status).toBe(200);
    const preflight = await fetch(`${urls[1]}/blobs`, {
      method: 'OPTIONS',
      headers: { origin: 'https://b.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://b.example');
    expect(await runCairn(['put', '-', '--server', urls[0]!], { input: new Uint8Array(300_000) })).toMatchObject({
      code: 0,
    });
    child.kill('SIGTERM');
    expect((await ended).code).toBe(exitCodes.ok);
  });

  it('says in one line what it could not open', async () => {
    const data = join(directory, 'data');
    await mkdir(data);
    // Opened last, when much else is open already.
    await writeFile(join(data, 'staging'), '');
    const ended = await runCairn(['serve', '--listen', '127.0.0.1:0', '--data', data]);
    expect(ended).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(ended.stderr).toMatch(/^cairn: .*staging.*\n$/);
  });

  it('refuses what it cannot serve, in words', async () => {
    const data = join(directory, 'data');
    const exposed = await runCairn(['serve', '--listen', '0.0.0.0:0', '--data', data]);
    expect(exposed).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(exposed.stderr).toContain('--insecure');
    const server = await startCairnServer(['--data', data]);
    const taken = await runCairn(['serve', '--listen', new URL(server.url).host, '--data', join(directory, 'other')]);
    expect(taken).toMatchObject({ code: exitCodes.failed, stdout: '' });
    await server.stop();
    for (const flags of [
      ['--durability', 'wishful'],
      ['--advertise', 'name:1'],
      ['--negotiate-concurrency', '0'],
      ['--cors-origin', 'a.example'],
      ['--drain-seconds', '99999999999'],
      ['--node-id', ''],
      ['--data', ''],
    ]) {
      expect((await runCairn(['serve', '--data', data, ...flags])).code).toBe(exitCodes.usage);
    }
  });
});
