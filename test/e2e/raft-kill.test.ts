// Three masters as real processes: the leader is killed again and again while clients read and write. Nothing that was
// answered may be lost, and the history must be that of one register at a time.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isLinearizable } from '../sim/linearizability.js';
import { RaftProcesses } from '../support/raft-processes.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { RegisterClient } from '../support/register-client.js';

const rounds = 3 * testRounds();
const keys = ['register a', 'register b', 'register c'];
const clientsPerKey = 3;

let directory: string;
let group: RaftProcesses;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-raft-'));
  group = await RaftProcesses.start(directory, 3);
}, 60_000);

afterAll(async () => {
  await group?.stop();
  await rm(directory, { recursive: true, force: true });
});

it('survives the death of its leader, again and again, under load', { timeout: 60_000 + 40_000 * rounds }, async () => {
  const random = seededRandom(testSeed('raft kill'));
  let isOver = false;
  let nextValue = 1;
  const anyServer = () => group.urls[random.below(Math.max(1, group.urls.length))];
  const clients = keys.flatMap((key) =>
    Array.from({ length: clientsPerKey }, () => new RegisterClient(key, anyServer)),
  );
  let answered = 0;
  const load = clients.map(async (client) => {
    while (!isOver) {
      const dice = random.below(3);
      const value = nextValue++;
      const isAnswered =
        dice === 0
          ? await client.read()
          : dice === 1
            ? await client.write(value)
            : await client.compareAndSet(lastSeen(client), value);
      if (isAnswered) answered++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  for (let round = 0; round < rounds; round++) {
    await expect.poll(() => group.leader(), { timeout: 20_000 }).toBeDefined();
    const leader = (await group.leader())!;
    await group.kill(leader);
    const before = answered;
    // Others take over, and serve.
    await expect.poll(() => answered, { timeout: 30_000 }).toBeGreaterThan(before + clients.length);
    await group.start(leader);
  }
  isOver = true;
  await Promise.all(load);

  for (const key of keys) {
    const histories = clients
      .filter((_, i) => keys[Math.floor(i / clientsPerKey)] === key)
      .map(({ history }) => history);
    const history = histories.flat();
    expect(history.filter(({ returned }) => returned !== undefined).length).toBeGreaterThan(10 * rounds);
    expect(isLinearizable(history), key).toBe(true);
  }
  const statuses = await group.statuses();
  expect(new Set(statuses.map(({ leader_id }) => leader_id)).size).toBe(1);
});

/** What the client was told last, to compare with. */
function lastSeen({ history }: RegisterClient): number | undefined {
  const last = history.findLast(({ returned }) => returned !== undefined)?.operation;
  if (last === undefined) return undefined;
  return last.kind === 'cas' ? (last.swapped === true ? last.to : last.from) : last.value;
}
