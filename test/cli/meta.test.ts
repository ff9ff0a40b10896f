// The metadata by command, on a real server; and from one engine to another.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CairnServerProcess, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { etcdProgram, startEtcd } from '../support/etcd.js';
import { describeWith } from '../support/shared.js';

let directory: string;
let server: CairnServerProcess;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-meta-'));
  server = await startCairnServer(['--data', join(directory, 'data'), '--node-id', 'here']);
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

const meta = (args: readonly string[], input?: string | Uint8Array) =>
  runCairn(['meta', ...args], { server: server.url, input });

describe('cairn meta', () => {
  it('puts, gets and deletes keys', async () => {
    const first = await meta(['put', 'k/a', 'one']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const second = await meta(['put', 'k/a'], Buffer.from([0, 255, 10]));
    expect(Number(second.stdout)).toBe(Number(first.stdout) + 1);
    expect([...(await meta(['get', 'k/a'])).bytes]).toEqual([0, 255, 10]);
    expect((await meta(['get', 'k/a', '--revision', first.stdout.trim()])).stdout).toBe('one');
    expect(JSON.parse((await meta(['get', 'k/a', '--json'])).stdout)).toEqual({
      key: 'k/a',
      value: 'base64:AP8K',
      create_revision: Number(first.stdout),
      revision: Number(second.stdout),
      version: 2,
    });
    expect((await meta(['del', 'k/a'])).stdout).toBe('1\n');
    expect((await meta(['del', 'k/a'])).stdout).toBe('0\n');
    expect(await meta(['get', 'k/a'])).toMatchObject({ code: 3, stdout: '' });
    expect(await meta(['get', ''])).toMatchObject({ code: 2 });
  });

  it('lists ranges', async () => {
    for (const name of ['a', 'b', 'c']) await meta(['put', `r/${name}`, name]);
    expect((await meta(['range', 'r/'])).stdout).toBe('r/a\ta\nr/b\tb\nr/c\tc\n');
    expect((await meta(['range', 'r/', '--limit', '2', '--keys-only'])).stdout).toBe('r/a\nr/b\n');
    expect((await meta(['range', 'r/', '--count'])).stdout).toBe('3\n');
    expect(Number((await meta(['range', '--count'])).stdout)).toBeGreaterThanOrEqual(3);
    expect((await meta(['del', 'r/', '--prefix'])).stdout).toBe('3\n');
  });

  it('does transactions', async () => {
    const txn = {
      compares: [{ key: 't', target: 'version', value: 0 }],
      success: [{ kind: 'put', key: 't', value: '1' }],
      failure: [{ kind: 'range', key: 't' }],
    };
    const ends = [await meta(['txn'], JSON.stringify(txn)), await meta(['txn'], JSON.stringify(txn))];
    const [done, refused] = ends.map(({ stdout }) => JSON.parse(stdout));
    expect(done).toMatchObject({ succeeded: true, results: [{ kind: 'put' }] });
    expect(refused).toMatchObject({
      succeeded: false,
      revision: done.revision,
      results: [{ kind: 'range', items: [{ key: 't', value: '1' }], more: false }],
    });
    expect(await meta(['txn'], '{')).toMatchObject({ code: 2, stdout: '' });
  });

  it('watches, from the past on, and says when that is gone', async () => {
    const from = (await meta(['put', 'w/a', '1'])).stdout.trim();
    const child = spawnCairn(['meta', 'watch', 'w/', '--from', from], { server: server.url });
    let seen = '';
    child.stdout.on('data', (piece) => {
      seen += piece;
    });
    const deleted = Number(from) + 1;
    await meta(['del', 'w/a']);
    await expect.poll(() => seen, { timeout: 20_000 }).toBe(`${from} put w/a\t1\n${deleted} delete w/a\n`);
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    expect(await meta(['compact', `${deleted}`])).toMatchObject({ code: 0 });
    expect(await meta(['watch', '--from', from])).toMatchObject({ code: 2, stdout: '' });
  });

  it('tells its status', async () => {
    expect(JSON.parse((await meta(['status', '--json'])).stdout)).toMatchObject({
      engine: 'level',
      node_id: 'here',
      state: 'leader',
      leader_id: 'here',
      peers: [],
    });
    expect((await meta(['status'])).stdout).toContain('here is leader');
  });

  it('imports only files that are whole', async () => {
    const good = (await meta(['export'])).stdout.split('\n');
    const before = (await meta(['range'])).stdout;
    const head = good[0]!;
    const bad: string[][] = [
      [],
      ['{}'],
      good.slice(0, -2),
      [...good.slice(0, -2), '{"end":0}'],
      [head, '{"key":"b","value":""}', '{"key":"a","value":""}', '{"end":2}'],
      [head, '{"end":0}', '{"key":"a","value":""}'],
      [head, '{"key":"a"}', '{"end":1}'],
    ];
    for (const [i, lines] of bad.entries()) {
      const path = join(directory, `bad-${i}`);
      writeFileSync(path, lines.join('\n'));
      expect(await meta(['import', path])).toMatchObject({ code: 2, stdout: '' });
    }
    expect((await meta(['range'])).stdout).toBe(before);
  });
});

describeWith('from LevelDB to etcd', 'etcd', etcdProgram, (program) => {
  it('everything moves, and what was there before goes', async () => {
    const keys = { compares: [], success: [] as object[] };
    for (let i = 0; i < 100; i++) keys.success.push({ kind: 'put', key: `move/${i}`, value: 'x'.repeat(i * 300) });
    for (let i = 0; i < 3; i++) await meta(['txn'], JSON.stringify(keys).replaceAll('move/', `move/${i}/`));
    const exported = join(directory, 'export');
    const { bytes } = await meta(['export']);
    writeFileSync(exported, bytes);

    const cluster = await startEtcd(program, 1);
    try {
      const args = ['--meta', 'etcd', '--etcd', cluster.endpoints[0]!, '--data', join(directory, 'other')];
      const other = await startCairnServer(args);
      const there = (args: readonly string[]) => runCairn(['meta', ...args], { server: other.url });
      try {
        await there(['put', 'stray', 'gone']);
        expect((await there(['import', exported])).stdout).toMatch(/^\d+ put, [1-9]\d* deleted\n$/);
        const [, ...lines] = (await there(['export'])).stdout.split('\n');
        expect(lines).toEqual(bytes.toString().split('\n').slice(1));
        expect(JSON.parse((await there(['status', '--json'])).stdout)).toMatchObject({ engine: 'etcd', peers: [] });
      } finally {
        await other.stop();
      }
      // And a server that starts over it finds what it needs.
      await (await startCairnServer(args)).stop();
    } finally {
      await cluster.stop();
    }
  }, 60_000);
});
