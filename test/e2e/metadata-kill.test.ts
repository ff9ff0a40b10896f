// `kill -9` of a server while clients change its metadata, over and over, on a real disk. What was answered is there after
// each start, at the revision that it was given, and history has no gap.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { connect } from '../../src/client/client.js';
import { prefixRange, textKey } from '../../src/meta/keys.js';
import type { KvStore } from '../../src/meta/kv.js';
import { startCairnServer } from '../support/cairn-process.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';

const kills = 4;
const clients = 8;
const ours = prefixRange(textKey('k/'));

it('loses nothing that was answered', async () => {
  const random = seededRandom(testSeed('kill -9 under metadata'));
  const data = await mkdtemp(join(tmpdir(), 'cairn-metadata-kill-'));
  /** Key → revision at which it was put. Keys are put once. */
  const answered = new Map<string, number>();
  let next = 0;

  async function keepPutting(kv: KvStore): Promise<void> {
    for (;;) {
      const name = `k/${String(next++).padStart(8, '0')}`;
      try {
        const { revision } = await kv.txn({ success: [{ kind: 'put', key: textKey(name), value: textKey(name) }] });
        answered.set(name, revision);
      } catch {
        return;
      }
    }
  }

  try {
    for (let round = 0; round < kills * testRounds(); round++) {
      const server = await startCairnServer(['--data', data]);
      const client = connect(server.url);
      const kv = await client.metadata();
      const found = new Map<string, number>();
      for (let more = true, after: Uint8Array | undefined; more; ) {
        const page = await kv.range(ours, { after });
        for (const { key, revision } of page.items) found.set(Buffer.from(key).toString(), revision);
        ({ more } = page);
        after = page.items.at(-1)?.key;
      }
      expect([...answered].filter(([name, revision]) => found.get(name) !== revision)).toEqual([]);
      const { revision } = await kv.range(ours, { limit: 1 });
      expect(await watched(kv, revision)).toEqual([...found.values()].sort((a, b) => a - b));

      const busy = Array.from({ length: clients }, () => keepPutting(kv));
      const before = answered.size;
      while (answered.size === before) await sleep(5);
      await sleep(random.between(0, 150));
      await server.stop('SIGKILL');
      await Promise.all(busy);
      client.close();
    }
    expect(answered.size).toBeGreaterThanOrEqual(kills);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}, 120_000);

/** The revisions that a watch from the first on sees up to the present. */
async function watched(kv: KvStore, present: number): Promise<number[]> {
  const revisions: number[] = [];
  // One more, so that there is an end to wait for.
  const { revision: end } = await kv.txn({ success: [{ kind: 'put', key: textKey('k~'), value: textKey('') }] });
  expect(end).toBeGreaterThan(present);
  for await (const batch of kv.watch(prefixRange(textKey('k')), { from: 1 })) {
    if (batch.revision === end) return revisions;
    if (batch.events.some((event) => event.kind === 'put' && Buffer.from(event.item.key).toString() !== 'k~')) {
      revisions.push(batch.revision);
    }
  }
  return revisions;
}
