// cairn cluster against real processes: who is in the group, who goes, who leads, and the way back from the loss of a majority.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCairn } from '../support/cairn-process.js';
import { RaftProcesses } from '../support/raft-processes.js';

let directory: string;
let group: RaftProcesses;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-cluster-'));
  group = await RaftProcesses.start(directory, 3);
}, 60_000);

afterEach(async () => {
  await group?.stop();
  await rm(directory, { recursive: true, force: true });
});

const cairn = (name: string, args: readonly string[]) => runCairn(args, { server: group.urlOf(name)! });

async function leader(): Promise<string> {
  await expect.poll(() => group.leader(), { timeout: 20_000 }).toBeDefined();
  return (await group.leader())!;
}

it('shows members, hands over leadership, and replaces a member', { timeout: 120_000 }, async () => {
  const first = await leader();
  const members = await cairn('master-2', ['cluster', 'members']);
  expect(members.stdout).toMatch(/^(master-[123]\t127\.0\.0\.1:\d+\tvoter\n){3}$/);

  const follower = group.names.find((name) => name !== first)!;
  expect((await cairn(follower, ['cluster', 'transfer', first])).code).not.toBe(0);
  expect((await cairn(first, ['cluster', 'transfer', follower])).code).toBe(0);
  await expect.poll(() => group.leader(), { timeout: 20_000 }).toBe(follower);

  expect((await cairn(follower, ['cluster', 'leave', 'nobody'])).code).not.toBe(0);
  await group.kill(first);
  const left = await cairn(follower, ['cluster', 'leave', first]);
  expect(left).toMatchObject({ code: 0 });
  expect(left.stdout.split('\n').length).toBe(3);
  await cairn(follower, ['meta', 'put', 'key', 'value']);
  await group.join('master-4');
  await expect
    .poll(async () => (await cairn('master-4', ['cluster', 'members'])).stdout, { timeout: 30_000 })
    .toMatch(/master-4\t\S+\tvoter/);
  expect((await cairn('master-4', ['meta', 'get', 'key'])).stdout).toBe('value');
});

it('makes one node a group of its own when the others are lost', { timeout: 120_000 }, async () => {
  await cairn('master-1', ['meta', 'put', 'key', 'value']);
  for (const name of group.names) {
    await expect
      .poll(async () => (await cairn(name, ['meta', 'get', 'key', '--stale'])).stdout, { timeout: 20_000 })
      .toBe('value');
  }
  const data = join(directory, 'master-3');
  expect((await runCairn(['cluster', 'recover', '--data', data, '--yes'])).stderr).not.toBe('');
  await group.stop();
  expect((await runCairn(['cluster', 'recover', '--data', data])).code).not.toBe(0);
  const recovered = await runCairn(['cluster', 'recover', '--data', data, '--yes']);
  expect(recovered).toMatchObject({ code: 0, stderr: '' });
  expect(recovered.stdout).toMatch(/no longer of it: (master-1, master-2|master-2, master-1)\n$/);
  await group.start('master-3');
  expect((await cairn('master-3', ['meta', 'get', 'key'])).stdout).toBe('value');
  expect((await cairn('master-3', ['cluster', 'members'])).stdout).toMatch(/^master-3\t\S+\tvoter\n$/);
  await cairn('master-3', ['meta', 'put', 'key', 'again']);
  expect((await cairn('master-3', ['meta', 'get', 'key'])).stdout).toBe('again');
});
