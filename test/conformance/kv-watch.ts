// Watches and compaction: nothing is left out, or the watch fails.

import { expect } from 'vitest';
import type { WatchBatch } from '../../src/meta/kv.js';
import {
  del,
  deleteOne,
  eventLine,
  expectCode,
  iterate,
  itOn,
  type KvTest,
  type KvUnderTest,
  put,
  putOne,
  take,
  text,
} from './kv-kit.js';

const lines = (test: KvTest, batches: readonly WatchBatch[]) =>
  batches.map(({ revision, events }) => [revision, ...events.map((event) => eventLine(test, event))]);

export function watchTests(subject: KvUnderTest): void {
  itOn(subject, 'a watch tells what happened since a revision, and then what happens', async (test) => {
    const { kv, key, all } = test;
    await putOne(kv, key('a'), '0');
    const r1 = await putOne(kv, key('a'), '1');
    const r2 = await deleteOne(kv, key('a'));
    const watch = iterate(kv.watch(all(), { from: r1 }));
    expect(lines(test, await take(watch, 2))).toEqual([
      [r1, `put a=1 @${r1 - 1}..${r1} v2`],
      [r2, `delete a @${r2}`],
    ]);
    const waiting = take(watch, 1);
    const r3 = await putOne(kv, key('b'), '3');
    expect(lines(test, await waiting)).toEqual([[r3, `put b=3 @${r3}..${r3} v1`]]);
    await watch.return?.();
  });

  itOn(subject, 'a transaction is one batch, its events in order of keys', async (test) => {
    const { kv, key, all } = test;
    const r1 = await putOne(kv, key('c'));
    const { revision } = await kv.txn({
      success: [put(key('z'), '1'), del({ start: key('c') }), put(key('a'), '2'), put(key('m'), '3')],
    });
    const watch = iterate(kv.watch(all(), { from: r1 + 1 }));
    expect(lines(test, await take(watch, 1))).toEqual([
      [
        revision,
        `put a=2 @${revision}..${revision} v1`,
        `delete c @${revision}`,
        `put m=3 @${revision}..${revision} v1`,
        `put z=1 @${revision}..${revision} v1`,
      ],
    ]);
    await watch.return?.();
  });

  itOn(subject, 'a watch sees its range alone', async (test) => {
    const { kv, key, all } = test;
    const watch = iterate(kv.watch(all('b'), { from: (await putOne(kv, key('b'))) + 1 }));
    const single = iterate(kv.watch({ start: key('b') }, { from: 1 }));
    const waiting = take(watch, 2);
    await kv.txn({ success: [put(key('a')), put(key('ba')), put(key('c'))] });
    await putOne(kv, key('a'));
    await putOne(kv, key('bb'));
    const batches = await waiting;
    expect(
      batches.map(({ events }) => events.map((event) => event.kind === 'put' && test.nameOf(event.item.key))),
    ).toEqual([['ba'], ['bb']]);
    await putOne(kv, key('b'), 'again');
    const last = (await take(single, 2))[1]!.events[0]!;
    expect(last.kind === 'put' && text(last.item.value)).toBe('again');
    await watch.return?.();
    await single.return?.();
  });

  itOn(subject, 'a watch may begin in the future', async (test) => {
    const { kv, key, all } = test;
    const now = await putOne(kv, key('a'));
    const waiting = take(iterate(kv.watch(all(), { from: now + 2, signal: AbortSignal.timeout(20_000) })), 1);
    await putOne(kv, key('b'));
    await putOne(kv, key('c'));
    expect((await waiting).map(({ revision }) => revision)).toEqual([now + 2]);
  });

  itOn(subject, 'many watches see all that many writers do', async ({ kv, key, all, nameOf }) => {
    const from = (await putOne(kv, key('start'))) + 1;
    const count = 300;
    const watches = Array.from({ length: 4 }, (_, i) =>
      take(iterate(kv.watch(all('k'), { from, signal: AbortSignal.timeout(60_000) })), i === 0 ? 1 : count),
    );
    const writes = Array.from({ length: count }, (_, i) => putOne(kv, key(`k${i}`)));
    const revisions = new Map((await Promise.all(writes)).map((revision, i) => [revision, `k${i}`]));
    const late = take(iterate(kv.watch(all('k'), { from })), count);
    for (const watch of [...watches.slice(1), late]) {
      const seen = (await watch).map(({ revision, events }) => [
        revision,
        events[0]!.kind === 'put' && nameOf(events[0]!.item.key),
      ]);
      expect(seen).toEqual([...revisions].sort(([a], [b]) => a - b));
    }
  });

  itOn(subject, 'a watch ends when its signal does, waiting or not', async ({ kv, key, all }) => {
    const end = new AbortController();
    const from = await putOne(kv, key('a'));
    const watch = iterate(kv.watch(all(), { from, signal: end.signal }));
    await take(watch, 1);
    const waiting = watch.next();
    end.abort();
    await expectCode(waiting, 'canceled');
    await expectCode(iterate(kv.watch(all(), { from, signal: end.signal })).next(), 'canceled');
  });

  itOn(subject, 'a watch from no revision is refused', async ({ kv, all, key }) => {
    await expectCode(iterate(kv.watch(all(), { from: 0 })).next(), 'invalid_argument');
    await expectCode(iterate(kv.watch({ start: key('b'), end: key('a') }, { from: 1 })).next(), 'invalid_argument');
  });

  itOn(subject, 'closing ends waiting watches', async ({ kv, key, all }) => {
    const from = (await putOne(kv, key('a'))) + 1;
    const waiting = iterate(kv.watch(all(), { from })).next();
    const ended = expectCode(waiting, 'unavailable');
    await kv.close();
    await ended;
  });

  itOn(subject, 'compaction forgets what came before', async (test) => {
    const { kv, key, all } = test;
    const r1 = await putOne(kv, key('a'), '1');
    await putOne(kv, key('b'), '1');
    const r3 = await putOne(kv, key('a'), '3');
    const r4 = await deleteOne(kv, key('b'));
    const r5 = await putOne(kv, key('a'), '5');
    await kv.compact(r3);
    await kv.compact(r3);
    await kv.compact(r1);
    for (const revision of [r1, r3 - 1]) {
      await expectCode(kv.get(key('a'), { revision }), 'out_of_range');
      await expectCode(kv.range(all(), { revision }), 'out_of_range');
      await expectCode(kv.count(all(), { revision }), 'out_of_range');
    }
    const values = async (revision?: number) =>
      (await kv.range(all(), { revision })).items.map((item) => `${test.nameOf(item.key)}${text(item.value)}`);
    expect(await values(r3)).toEqual(['a3', 'b1']);
    expect(await values(r4)).toEqual(['a3']);
    expect(await values()).toEqual(['a5']);
    await expectCode(iterate(kv.watch(all(), { from: r1 })).next(), 'out_of_range');
    await expectCode(iterate(kv.watch(all(), { from: r3 })).next(), 'out_of_range');
    const watch = iterate(kv.watch(all(), { from: r4 }));
    expect((await take(watch, 2)).map(({ revision }) => revision)).toEqual([r4, r5]);
    await watch.return?.();
    await kv.compact(r5);
    expect(await values(r5)).toEqual(['a5']);
    await expectCode(kv.compact(r5 + 1), 'out_of_range');
    expect(await putOne(kv, key('a'), '6')).toBe(r5 + 1);
    expect((await kv.get(key('a')))!.version).toBe(4);
  });

  itOn(subject, 'a watch that had seen everything is not disturbed by compaction', async ({ kv, key, all }) => {
    const r1 = await putOne(kv, key('a'));
    const watch = iterate(kv.watch(all(), { from: r1 }));
    await take(watch, 1);
    const waiting = take(watch, 1);
    await putOne(kv, key('a'));
    await waiting;
    await kv.compact(r1 + 1);
    const next = take(watch, 1);
    const r3 = await putOne(kv, key('a'));
    expect((await next)[0]!.revision).toBe(r3);
    await watch.return?.();
  });
}
