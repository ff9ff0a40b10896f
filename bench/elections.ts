// How long nobody can write when the leader of a group of three is killed: from SIGKILL to the first answer to a write that
// was asked for after it, of either of the others. Clients write all the time.

import { limits } from '../src/base/limits.js';
import { textKey } from '../src/meta/keys.js';
import type { KvStore } from '../src/meta/kv.js';
import { leaderOf, type MetadataServer, startGroup } from './metadata-servers.js';

const writersPerServer = 2;
/** Election timeouts that the project grants itself. */
const budget = 2;

export async function elections(directory: string, rounds: number): Promise<string> {
  let servers = await startGroup(directory, 3);
  try {
    const times: number[] = [];
    while (times.length < rounds) {
      const leader = await leaderOf(servers);
      const others = servers.filter((server) => server !== leader);
      times.push(await interruption(leader, others));
      await leader.close();
      servers = [...others, await leader.start()];
    }
    return section(times);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** Milliseconds. */
async function interruption(leader: MetadataServer, others: readonly MetadataServer[]): Promise<number> {
  let killedAt = Number.POSITIVE_INFINITY;
  let answeredAt: number | undefined;
  let before = 0;
  const write = async (kv: KvStore, key: Uint8Array) => {
    while (answeredAt === undefined) {
      const askedAt = performance.now();
      const isDone = await kv.txn({ success: [{ kind: 'put', key, value: key }] }).then(
        () => true,
        () => false,
      );
      if (isDone && askedAt >= killedAt) answeredAt ??= performance.now();
      else if (isDone) before++;
      else await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const writers = others.flatMap(({ kv }, at) =>
    Array.from({ length: writersPerServer }, (_, i) => write(kv, textKey(`election/${at}/${i}`))),
  );
  while (before < 20) await new Promise((resolve) => setImmediate(resolve));
  const killed = leader.process.kill();
  killedAt = performance.now();
  await Promise.all([killed, ...writers]);
  return answeredAt! - killedAt;
}

function section(times: readonly number[]): string {
  const timeout = limits.raftTickMilliseconds * limits.raftElectionTicks;
  const sorted = [...times].sort((a, b) => a - b);
  const row = (name: string, milliseconds: number, verdict = '') =>
    `| ${name} | ${milliseconds.toFixed(0)} | ${(milliseconds / timeout).toFixed(2)} | ${verdict} |`;
  const longest = sorted.at(-1)!;
  return [
    `## Elections: writes interrupted by the death of the leader, ${times.length} times`,
    '',
    `Three nodes, ${2 * writersPerServer} clients. The election timeout is ${timeout} ms; each node adds up to half as much by chance.`,
    '',
    '| from SIGKILL to the next answered write | ms | election timeouts | budget |',
    '|---|---:|---:|---|',
    row('shortest', sorted[0]!),
    row('median', sorted[Math.floor(sorted.length / 2)]!),
    row('nine of ten within', sorted[Math.ceil(sorted.length * 0.9) - 1]!),
    row('longest', longest, `≤ ${budget}${longest > budget * timeout ? ' **missed**' : ''}`),
    '',
  ].join('\n');
}
