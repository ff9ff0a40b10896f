// Accounts and tokens by command, from the first admin of an empty directory to a server on every address behind TLS.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CairnServerProcess, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { useAuthority } from '../support/certificates.js';

const password = 'correct horse';
const authority = useAuthority();
let data: string;
let server: CairnServerProcess | undefined;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'cairn-user-'));
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
});
afterAll(() => rmSync(data, { recursive: true }));

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

describe.sequential('cairn user', () => {
  it('makes the first account on a directory that no server has ever opened', async () => {
    expect(await runCairn(['user', 'add', 'ann', '--data', data], { input: `${password}\n` })).toMatchObject({
      code: 1,
    });
    const short = await runCairn(['user', 'add', 'root', '--role', 'admin', '--data', data], { input: 'short\n' });
    expect(short).toMatchObject({ code: 2, stdout: '' });
    const added = await runCairn(['user', 'add', 'root', '--role', 'admin', '--data', data], {
      input: `${password}\n`,
    });
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toMatch(/^root admin \S+Z\n$/);
    expect(
      lines((await runCairn(['user', 'list', '--data', data, '--json'])).stdout).map((line) => JSON.parse(line)),
    ).toEqual([{ name: 'root', roles: ['admin'], email: '', created_at: expect.any(String) }]);
  });

  it('and then a server asks for credentials', async () => {
    server = await startCairnServer(['--data', data, '--log-level', 'trace']);
    const root = { server: server.url, env: { CAIRN_PASSWORD: password } };
    expect(await runCairn(['ls'], { server: server.url })).toMatchObject({ code: 1, stdout: '' });
    expect(await runCairn(['ls', '--user', 'root'], root)).toMatchObject({ code: 0 });
    expect(await runCairn(['ls', '--user', 'root'], { ...root, env: { CAIRN_PASSWORD: 'wrong horse' } })).toMatchObject(
      {
        code: 1,
      },
    );
    expect(await runCairn(['ls', '--user', 'root'], { server: server.url })).toMatchObject({ code: 2 });
    expect(await runCairn(['ls', '--user', 'root', '--token', 'x'], root)).toMatchObject({ code: 2 });
    // Somebody else has the directory.
    expect((await runCairn(['user', 'list', '--data', data])).code).not.toBe(0);

    const added = await runCairn(['user', 'add', 'ci', '--role', 'writer', '--no-password', '--user', 'root'], root);
    expect(added).toMatchObject({ code: 0 });
    const made = [
      'token',
      'create',
      '--account',
      'ci',
      '--label',
      'builds',
      '--allow',
      'read,write',
      '--expires',
      '90d',
    ];
    const created = await runCairn([...made, '--user', 'root', '--json'], root);
    const { id, token, operations } = JSON.parse(created.stdout);
    expect(operations).toEqual(['read', 'write']);
    const ci = { server: server.url, env: { CAIRN_TOKEN: token as string } };
    const put = await runCairn(['put', '-'], { ...ci, input: 'hello' });
    expect(put).toMatchObject({ code: 0 });
    const digest = put.stdout.split(' ')[0]!;
    expect((await runCairn(['get', digest, '--token', token], { server: server.url })).stdout).toBe('hello');
    expect(await runCairn(['rm', digest], ci)).toMatchObject({ code: 1 });
    expect(await runCairn(['user', 'list'], ci)).toMatchObject({ code: 1, stdout: '' });

    // A live token follows the role of its account.
    const role = (name: string, to: string) => runCairn(['user', 'role', name, to, '--user', 'root'], root);
    expect((await role('ci', 'reader')).stdout).toMatch(/^ci reader \S+Z\n$/);
    expect(await runCairn(['put', '-'], { ...ci, input: 'more' })).toMatchObject({ code: 1 });
    expect((await runCairn(['get', digest], ci)).stdout).toBe('hello');
    expect(await role('ci', 'writer')).toMatchObject({ code: 0 });
    expect(await runCairn(['put', '-'], { ...ci, input: 'more' })).toMatchObject({ code: 0 });
    expect(await role('root', 'writer')).toMatchObject({ code: 1 });
    expect(await role('ci', 'king')).toMatchObject({ code: 2 });

    // What a key has signed is good while the key is.
    const rotate = (...flags: string[]) => runCairn(['token', 'rotate-key', ...flags, '--user', 'root'], root);
    expect(await rotate('--overlap', '1h')).toMatchObject({ code: 0 });
    expect((await runCairn(['token', 'list'], ci)).stdout).toMatch(new RegExp(`^${id} read,write \\S+Z builds\n$`));
    expect(await runCairn(['token', 'revoke', 'none', id, '--account', 'ci', '--user', 'root'], root)).toMatchObject({
      code: 3,
    });
    expect(await runCairn(['get', digest], ci)).toMatchObject({ code: 1, stdout: '' });
    expect(await runCairn(['token', 'rotate-key'], ci)).toMatchObject({ code: 1 });
    expect(await rotate('--overlap', '1y')).toMatchObject({ code: 2 });
    const short = await runCairn(['token', 'create', '--account', 'ci', '--user', 'root'], root);
    const again = { server: server.url, env: { CAIRN_TOKEN: short.stdout.trim() } };
    expect(await runCairn(['get', digest], again)).toMatchObject({ code: 0 });
    expect(await rotate()).toMatchObject({ code: 0 });
    expect(await runCairn(['get', digest], again)).toMatchObject({ code: 1 });
    expect((await runCairn(['token', 'list', '--account', 'ci', '--user', 'root'], root)).stdout).toBe('');

    const passwd = await runCairn(['user', 'passwd', 'root', '--user', 'root'], { ...root, input: 'new password\n' });
    expect(passwd).toMatchObject({ code: 0 });
    expect(await runCairn(['user', 'list', '--user', 'root'], root)).toMatchObject({ code: 1 });
    const after = { ...root, env: { CAIRN_PASSWORD: 'new password' } };
    expect(await runCairn(['user', 'remove', 'root', '--user', 'root'], after)).toMatchObject({ code: 1 });
    expect(await runCairn(['user', 'remove', 'ci', '--user', 'root'], after)).toMatchObject({ code: 0 });
    expect(lines((await runCairn(['user', 'list', '--user', 'root'], after)).stdout)).toHaveLength(1);
    const secrets = [password, 'new password', token];
    for (const secret of secrets) expect(server.stderr() + server.stdout()).not.toContain(secret);
  }, 120_000);

  it('a server with accounts may be reached by others; by TLS, too', async () => {
    const { files, put } = authority.place(authority.issue('localhost'));
    const tls = ['--tls-cert', files.cert, '--tls-key', files.key];
    const child = spawnCairn(['serve', '--listen', '0.0.0.0:0', '--data', data, ...tls]);
    const url = await new Promise<string>((resolve) => {
      child.stdout.on('data', (bytes) => resolve(/listening on (\S+)/.exec(String(bytes))![1]!));
    });
    expect(url).toMatch(/^https:\/\/0\.0\.0\.0:/);
    const at = { server: url.replace('0.0.0.0', 'localhost'), env: { CAIRN_PASSWORD: 'new password' } };
    expect(await runCairn(['ls', '--user', 'root'], at)).toMatchObject({ code: 4 });
    expect(await runCairn(['ls', '--user', 'root', '--ca', authority.ca], at)).toMatchObject({ code: 0 });
    expect(
      await runCairn(['put', '-', '--user', 'root'], {
        ...at,
        env: { ...at.env, CAIRN_CA: authority.ca },
        input: 'x',
      }),
    ).toMatchObject({
      code: 0,
    });
    const serial = () =>
      new Promise<string>((resolve) => {
        const socket = tlsConnect({ host: 'localhost', port: Number(new URL(url).port), ca: authority.trusted }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
      });
    const before = await serial();
    put(authority.issue('localhost'));
    child.kill('SIGHUP');
    await expect.poll(serial).not.toBe(before);
    const closed = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGTERM');
    await closed;
  }, 60_000);

  it('the last account goes only where no server runs, and leaves everything open', async () => {
    expect(await runCairn(['user', 'remove', 'root', '--data', data])).toMatchObject({ code: 0 });
    const exposed = await runCairn(['serve', '--listen', '0.0.0.0:0', '--data', data]);
    expect(exposed.code).not.toBe(0);
    expect(exposed.stderr).toContain('cairn user add');
    server = await startCairnServer(['--data', data]);
    expect(await runCairn(['ls'], { server: server.url })).toMatchObject({ code: 0 });
  }, 60_000);

  it('makes no directory but for the first account', async () => {
    const none = join(data, 'none');
    expect((await runCairn(['user', 'list', '--data', none])).code).not.toBe(0);
    expect(existsSync(none)).toBe(false);
  });

  it.each([
    [['serve', '--tls-cert', 'x']],
    [['serve', '--tls-client-ca', 'x']],
    [['serve', '--allow-registration', 'admin']],
    [['user', 'add', 'ann', '--role', 'king']],
    [['token', 'create', '--allow', 'fly']],
    [['token', 'create', '--expires', 'soon']],
    [['ls', '--ca', '/none']],
  ])('refuses %j', async (args) => {
    expect(await runCairn(args)).toMatchObject({ code: 2, stdout: '' });
  });
});
