// Reading: keys, ranges, pages, counts, and all of it at earlier revisions.

import { expect } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { everyKey, textKey } from '../../src/meta/keys.js';
import type { KvStore, RangeOptions, RangePage } from '../../src/meta/kv.js';
import {
  del,
  deleteOne,
  expectCode,
  itemLine,
  itOn,
  type KvTest,
  type KvUnderTest,
  put,
  putOne,
  text,
} from './kv-kit.js';

const names = (test: KvTest, page: RangePage) => page.items.map(({ key }) => test.nameOf(key));

export function readTests(subject: KvUnderTest): void {
  itOn(subject, 'absent keys are undefined', async ({ kv, key, all }) => {
    expect(await kv.get(key('a'))).toBeUndefined();
    expect(await kv.get(key('a'), { stale: true })).toBeUndefined();
    expect((await kv.range(all())).items).toEqual([]);
    expect(await kv.count(all())).toBe(0);
  });

  itOn(subject, 'a key tells when it was made, last put, and how often', async (test) => {
    const { kv, key } = test;
    const first = await putOne(kv, key('a'), 'one');
    const second = await putOne(kv, key('a'), 'two');
    expect(itemLine(test, (await kv.get(key('a')))!)).toBe(`a=two @${first}..${second} v2`);
    await deleteOne(kv, key('a'));
    const third = await putOne(kv, key('a'), 'three');
    expect(itemLine(test, (await kv.get(key('a')))!)).toBe(`a=three @${third}..${third} v1`);
  });

  itOn(subject, 'keys and values are bytes', async ({ kv, key }) => {
    const odd = Uint8Array.from([...key('x'), 0, 0xff, 0, 0, 1]);
    const value = Uint8Array.from([0, 255, 128, 0]);
    await kv.txn({ success: [{ kind: 'put', key: odd, value }] });
    const found = await kv.get(odd);
    expect([...found!.key]).toEqual([...odd]);
    expect([...found!.value]).toEqual([...value]);
    expect(await kv.get(odd.subarray(0, odd.length - 1))).toBeUndefined();
  });

  itOn(subject, 'ranges are in order of bytes, their end excluded', async (test) => {
    const { kv, key, all } = test;
    const order = ['', '\0', '\0\0', '\0a', '\x01', 'a', 'a\0', 'a\0\0b', 'a\x01', 'aa', 'b', 'ä', '日'];
    await kv.txn({ success: [...order].reverse().map((name) => put(key(name))) });
    const revision = (await kv.range(all())).revision;
    for (const options of [{}, { revision }]) {
      expect(names(test, await kv.range(all(), options))).toEqual(order);
      expect(names(test, await kv.range({ start: key('a'), end: key('aa') }, options))).toEqual([
        'a',
        'a\0',
        'a\0\0b',
        'a\x01',
      ]);
      expect(names(test, await kv.range({ start: key('a') }, options))).toEqual(['a']);
      expect(names(test, await kv.range(all('a\0'), options))).toEqual(['a\0', 'a\0\0b']);
      expect(await kv.count(all('a'), options)).toBe(5);
    }
  });

  itOn(subject, 'a range without an end goes on to the last key', async (test) => {
    const { kv, key } = test;
    await putOne(kv, key('b'));
    const page = await kv.range({ start: key('a'), end: new Uint8Array(0) }, { limit: 1 });
    expect(names(test, page)).toEqual(['b']);
    expect((await kv.range(everyKey, { limit: 1 })).items.length).toBe(1);
    expect(await kv.count(everyKey)).toBeGreaterThanOrEqual(1);
  });

  itOn(subject, 'pages go on behind the last key, and say when there is more', async (test) => {
    const { kv, key, all } = test;
    await kv.txn({ success: ['a', 'b', 'c', 'd', 'e'].map((name) => put(key(name), name)) });
    const page = await kv.range(all(), { limit: 2 });
    expect([names(test, page), page.more]).toEqual([['a', 'b'], true]);
    const last = await kv.range(all(), { limit: 3, after: page.items.at(-1)!.key });
    expect([names(test, last), last.more]).toEqual([['c', 'd', 'e'], false]);
    expect((await kv.range(all(), { after: key('e') })).items).toEqual([]);
    expect(names(test, await kv.range(all('c'), { after: key('a') }))).toEqual(['c']);
    expect(names(test, await kv.range({ start: key('c') }, { after: key('b') }))).toEqual(['c']);
    expect((await kv.range({ start: key('c') }, { after: key('c') })).items).toEqual([]);
  });

  itOn(subject, 'keys alone have empty values and everything else', async (test) => {
    const { kv, key, all } = test;
    const revision = await putOne(kv, key('a'), 'value');
    for (const options of [{}, { revision }]) {
      const [item] = (await kv.range(all(), { keysOnly: true, ...options })).items;
      expect(itemLine(test, item!)).toBe(`a= @${revision}..${revision} v1`);
    }
  });

  itOn(subject, 'a page of large values ends early', async (test) => {
    const { kv, key, all } = test;
    const value = new Uint8Array(1024 * 1024).fill(7);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
      await kv.txn({ success: [{ kind: 'put', key: key(name), value }] });
    const seen: string[] = [];
    let after: Uint8Array | undefined;
    for (let more = true; more; ) {
      const page = await kv.range(all(), { after });
      const bytes = page.items.reduce((sum, item) => sum + item.value.length, 0);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThanOrEqual(limits.kvPageBytesMax + value.length);
      seen.push(...names(test, page));
      more = page.more;
      after = page.items.at(-1)?.key;
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  itOn(subject, 'earlier revisions can be read', async (test) => {
    const { kv, key, all } = test;
    const lines = async (options: RangeOptions) =>
      (await kv.range(all(), options)).items.map((item) => itemLine(test, item));
    const r1 = await putOne(kv, key('a'), '1');
    const r2 = await putOne(kv, key('b'), '2');
    const r3 = await putOne(kv, key('a'), '3');
    const r4 = await deleteOne(kv, key('a'));
    const r5 = await putOne(kv, key('a'), '5');
    expect([r2, r3, r4, r5]).toEqual([r1 + 1, r1 + 2, r1 + 3, r1 + 4]);
    const b = `b=2 @${r2}..${r2} v1`;
    expect(await lines({ revision: r1 })).toEqual([`a=1 @${r1}..${r1} v1`]);
    expect(await lines({ revision: r2 })).toEqual([`a=1 @${r1}..${r1} v1`, b]);
    expect(await lines({ revision: r3 })).toEqual([`a=3 @${r1}..${r3} v2`, b]);
    expect(await lines({ revision: r4 })).toEqual([b]);
    expect(await lines({ revision: r5 })).toEqual([`a=5 @${r5}..${r5} v1`, b]);
    expect(text((await kv.get(key('a'), { revision: r3 }))!.value)).toBe('3');
    expect(await kv.get(key('a'), { revision: r4 })).toBeUndefined();
    expect(await kv.get(key('b'), { revision: r1 })).toBeUndefined();
    expect(await kv.count(all(), { revision: r1 })).toBe(1);
    expect((await kv.range(all(), { revision: r1 })).revision).toBe(r1);
  });

  itOn(subject, 'a page tells the revision it shows, and the next one fits it', async (test) => {
    const { kv, key, all } = test;
    await kv.txn({ success: ['a', 'b', 'c'].map((name) => put(key(name), 'old')) });
    const page = await kv.range(all(), { limit: 1 });
    await kv.txn({ success: [put(key('b'), 'new'), del({ start: key('c') })] });
    const rest = await kv.range(all(), { revision: page.revision, after: key('a') });
    expect(rest.items.map((item) => text(item.value))).toEqual(['old', 'old']);
  });

  itOn(subject, 'revisions still to come cannot be read', async ({ kv, key, all }) => {
    const revision = (await putOne(kv, key('a'))) + 1;
    await expectCode(kv.get(key('a'), { revision }), 'out_of_range');
    await expectCode(kv.range(all(), { revision }), 'out_of_range');
    await expectCode(kv.count(all(), { revision }), 'out_of_range');
  });

  itOn(subject, 'bad arguments are refused', async ({ kv, key }) => {
    const long = new Uint8Array(limits.kvKeyBytesMax + 1).fill(1);
    const none = new Uint8Array(0);
    const range = { start: key('a'), end: key('b') };
    const calls: [Promise<unknown>, 'invalid_argument' | 'too_large'][] = [
      [kv.get(none), 'invalid_argument'],
      [kv.get(long), 'too_large'],
      [kv.get(key('a'), { revision: 0 }), 'invalid_argument'],
      [kv.get(key('a'), { revision: 1.5 }), 'invalid_argument'],
      [kv.range({ start: none }), 'invalid_argument'],
      [kv.range({ start: key('b'), end: key('a') }), 'invalid_argument'],
      [kv.range({ start: key('a'), end: key('a') }), 'invalid_argument'],
      [kv.range(range, { limit: 0 }), 'invalid_argument'],
      [kv.range(range, { limit: limits.kvPageCountMax + 1 }), 'invalid_argument'],
      [kv.range(range, { after: none }), 'invalid_argument'],
      [kv.count({ start: textKey('b'), end: textKey('a') }), 'invalid_argument'],
      [kv.compact(0), 'invalid_argument'],
    ];
    for (const [call, code] of calls) await expectCode(call, code);
  });

  itOn(subject, 'status tells of the node and its revision', async ({ kv, key }) => {
    const revision = await putOne(kv, key('a'));
    // One node of several may have yet to apply what another answered; a read makes it.
    await kv.get(key('a'));
    const status = await kv.status();
    expect(status).toMatchObject({
      revision: expect.any(Number),
      term: expect.any(Number),
      nodeId: expect.any(String),
    });
    expect(status.revision).toBeGreaterThanOrEqual(revision);
    expect(status.commitIndex).toBeGreaterThanOrEqual(status.appliedIndex);
    expect(status.appliedIndex).toBeGreaterThan(0);
    expect(status.role).toBe(status.nodeId === status.leaderId ? 'leader' : 'follower');
    expect(status.peers.map(({ nodeId }) => nodeId)).not.toContain(status.nodeId);
  });

  itOn(subject, 'what was written is there after it was closed', async ({ kv, key, reopen }) => {
    const revision = await putOne(kv, key('a'), 'kept');
    const again: KvStore = reopen === undefined ? kv : await reopen();
    expect(text((await again.get(key('a')))!.value)).toBe('kept');
    expect(await putOne(again, key('b'))).toBe(revision + 1);
  });

  itOn(subject, 'a closed store answers unavailable', async ({ kv, key, all }) => {
    await kv.close();
    await kv.close();
    await expectCode(kv.get(key('a')), 'unavailable');
    await expectCode(kv.range(all()), 'unavailable');
    await expectCode(kv.count(all()), 'unavailable');
    await expectCode(kv.txn({ success: [put(key('a'))] }), 'unavailable');
    await expectCode(kv.compact(1), 'unavailable');
    await expectCode(kv.status(), 'unavailable');
    await expectCode(kv.watch(all(), { from: 1 })[Symbol.asyncIterator]().next(), 'unavailable');
  });
}
