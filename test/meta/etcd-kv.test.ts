// The etcd engine while members of a real cluster die, freeze, restart, and lose their leader.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { errorCode } from '../../src/base/errors.js';
import { EtcdKv } from '../../src/meta/etcd-kv.js';
import { absent, everyKey, prefixRange, textKey } from '../../src/meta/keys.js';
import type { KvStatus, WatchBatch } from '../../src/meta/kv.js';
import { expectCode, put, putOne, text } from '../conformance/kv-kit.js';
import { type EtcdCluster, type EtcdMember, etcdProgram, startEtcd } from '../support/etcd.js';
import { describeWith } from '../support/shared.js';

it('takes http and https endpoints alone', () => {
  for (const endpoints of [[], ['127.0.0.1:2379'], ['ftp://127.0.0.1'], ['http://a', 'b']]) {
    expect(() => new EtcdKv({ endpoints, prefix: 'cairn/', clock: systemClock })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  }
});

describeWith('with three etcd members', 'etcd', etcdProgram, (program) => {
  let cluster: EtcdCluster;
  let kv: EtcdKv;

  beforeAll(async () => {
    cluster = await startEtcd(program, 3);
    kv = new EtcdKv({ endpoints: cluster.endpoints, prefix: 'cairn/', clock: systemClock });
  }, 60_000);
  afterAll(async () => {
    await kv.close();
    await cluster.stop();
  });

  /** Which members' own answers say that they lead, and what they say. */
  async function findLeader(): Promise<{ leader: EtcdMember; status: KvStatus }> {
    for (;;) {
      for (const leader of cluster.members) {
        const one = new EtcdKv({ endpoints: [leader.url], prefix: 'cairn/', clock: systemClock });
        const status = await one.status().finally(() => one.close());
        if (status.role === 'leader') return { leader, status };
      }
    }
  }

  /** Writes under way again and again until told to stop; the names of those that were answered. */
  function keepWriting(prefix: string): { stop(): Promise<Set<string>> } {
    const answered = new Set<string>();
    let isOver = false;
    const loop = (async () => {
      for (let i = 0; !isOver; i++) {
        const name = `${prefix}${String(i).padStart(6, '0')}`;
        try {
          await kv.txn({ compares: [absent(textKey(name))], success: [put(textKey(name), name)] });
          answered.add(name);
        } catch (error) {
          // It may have happened or not.
          expect(['unavailable', 'timeout']).toContain(errorCode(error));
        }
      }
    })();
    return {
      async stop() {
        isOver = true;
        await loop;
        return answered;
      },
    };
  }

  /** Everything a watch sees up to a key named `${prefix}end`. */
  async function watchUntilEnd(prefix: string, from: number): Promise<WatchBatch[]> {
    const seen: WatchBatch[] = [];
    for await (const batch of kv.watch(prefixRange(textKey(prefix)), { from })) {
      const [event] = batch.events;
      if (event?.kind === 'put' && text(event.item.key) === `${prefix}end`) return seen;
      seen.push(batch);
    }
    return seen;
  }

  /** A life in which something happens while there are writes: no answered write is lost, and the watch sees them all. */
  async function survives(prefix: string, happen: () => Promise<void>): Promise<void> {
    const from = (await putOne(kv, textKey(`start ${prefix}`))) + 1;
    const watched = watchUntilEnd(prefix, from);
    const writer = keepWriting(prefix);
    await happen();
    await putOne(kv, textKey(`after ${prefix}`)).catch(() => {});
    const answered = await writer.stop();
    await untilDone(() => putOne(kv, textKey(`${prefix}end`)));
    const stored: string[] = [];
    for (let more = true, after: Uint8Array | undefined; more; ) {
      const page = await kv.range(prefixRange(textKey(prefix)), { after });
      stored.push(...page.items.map(({ value }) => text(value)));
      more = page.more;
      after = page.items.at(-1)?.key;
    }
    const present = new Set(stored);
    expect([...answered].filter((name) => !present.has(name))).toEqual([]);
    const batches = await watched;
    const names = batches.flatMap(({ events }) =>
      events.map((event) => (event.kind === 'put' ? text(event.item.key) : '')),
    );
    expect(names).toEqual(stored.filter((name) => name !== ''));
    const revisions = batches.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  }

  async function untilDone<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        expect(['unavailable', 'timeout']).toContain(errorCode(error));
      }
    }
  }

  it('keys of others are neither seen nor touched', async () => {
    const other = new EtcdKv({ endpoints: cluster.endpoints, prefix: 'cairn0', clock: systemClock });
    await putOne(other, textKey('theirs'));
    await putOne(kv, textKey('ours'));
    expect((await kv.range(everyKey)).items.map(({ key }) => text(key))).toContain('ours');
    expect((await kv.range(everyKey)).items.map(({ key }) => text(key))).not.toContain('theirs');
    await kv.txn({ success: [{ kind: 'delete', range: everyKey }] });
    expect(await kv.count(everyKey)).toBe(0);
    expect(await other.count(everyKey)).toBe(1);
    await other.close();
  });

  it('tells of the leader, and how far its peers are', async () => {
    const revision = await putOne(kv, textKey('a'));
    const { status } = await findLeader();
    expect(status).toMatchObject({ engine: 'etcd', role: 'leader', leaderId: status.nodeId });
    expect(status.revision).toBeGreaterThanOrEqual(revision);
    expect(status.peers.length).toBe(2);
    for (const { nodeId, address, nextIndex, matchIndex } of status.peers) {
      expect(nodeId).not.toBe(status.nodeId);
      expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(matchIndex).toBeGreaterThan(0);
      expect(nextIndex).toBe(matchIndex + 1);
    }
  });

  it('goes on when the leader dies, and when it comes back', async () => {
    const { leader } = await findLeader();
    await survives('killed/', async () => {
      await leader.kill();
      await untilDone(() => putOne(kv, textKey('without')));
      await leader.start();
    });
    expect((await kv.status()).peers.length).toBe(2);
  }, 60_000);

  it('goes on when the member that it asks does not answer any more', async () => {
    const asked = new EtcdKv({ endpoints: cluster.endpoints, prefix: 'cairn/', clock: systemClock });
    const frozen = cluster.members[0]!;
    await putOne(asked, textKey('frozen'), '1');
    const seen = asked.watch({ start: textKey('frozen') }, { from: 1 })[Symbol.asyncIterator]();
    await seen.next();
    frozen.freeze();
    try {
      expect(text((await asked.get(textKey('frozen')))!.value)).toBe('1');
      const next = seen.next();
      await untilDone(() => putOne(asked, textKey('frozen'), '2'));
      const { value } = await next;
      expect((value as WatchBatch).events.length).toBe(1);
    } finally {
      frozen.thaw();
      await asked.close();
    }
  }, 60_000);

  it('goes on when all members were gone', async () => {
    await survives('restarted/', async () => {
      await Promise.all(cluster.members.map((member) => member.kill()));
      await Promise.all(cluster.members.map((member) => member.start()));
    });
  }, 60_000);

  it('a watch that was away while history was compacted has no gap: it says so, or sees all', async () => {
    const lone = new EtcdKv({ endpoints: [cluster.members[0]!.url], prefix: 'cairn/', clock: systemClock });
    const from = await putOne(kv, textKey('w'), '1');
    const behind = lone.watch({ start: textKey('w') }, { from })[Symbol.asyncIterator]();
    await behind.next();
    await cluster.members[0]!.kill();
    const second = await untilDone(() => putOne(kv, textKey('w'), '2'));
    const last = await untilDone(() => putOne(kv, textKey('w'), '3'));
    await untilDone(() => kv.compact(last));
    await cluster.members[0]!.start();
    // A member that is still catching up may have them yet.
    const seen: number[] = [];
    const outcome = await (async () => {
      while (seen.at(-1) !== last) seen.push(((await behind.next()).value as WatchBatch).revision);
    })().then(() => 'all seen', errorCode);
    expect(['all seen', 'out_of_range']).toContain(outcome);
    expect(seen).toEqual([second, last].slice(0, seen.length));
    // By now it has caught up.
    await lone.get(textKey('w'));
    const late = lone.watch({ start: textKey('w') }, { from: last })[Symbol.asyncIterator]();
    await expectCode(late.next(), 'out_of_range');
    await lone.close();
  }, 60_000);

  it('refuses what etcd refuses, with our codes', async () => {
    const nobody = new EtcdKv({
      endpoints: ['http://127.0.0.1:1'],
      prefix: 'cairn/',
      clock: { ...systemClock, monotonic: jumping() },
    });
    await expectCode(nobody.get(textKey('a')), 'unavailable');
    await expectCode(nobody.txn({ success: [] }), 'unavailable');
    await nobody.close();
  });
});

/** A clock whose every look is a minute later than the one before. */
function jumping(): () => number {
  let minutes = 0;
  return () => 60_000 * minutes++;
}
