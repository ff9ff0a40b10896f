// Transactions: compares, branches, revisions, and what they may not do.

import { expect } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { absent, present, textKey, unchanged } from '../../src/meta/keys.js';
import type { Compare, Comparison, KvStore, Operation, OperationResult, Txn } from '../../src/meta/kv.js';
import {
  del,
  deleteOne,
  expectCode,
  itOn,
  type KvTest,
  type KvUnderTest,
  put,
  putOne,
  text,
  textAt,
} from './kv-kit.js';

const range = (all: ReturnType<KvTest['all']>, limit?: number): Operation => ({ kind: 'range', range: all, limit });

const shown = (test: KvTest, result: OperationResult | undefined): string | string[] =>
  result?.kind === 'range' ? result.items.map(({ key, value }) => `${test.nameOf(key)}=${text(value)}`) : 'no range';

async function revisionOf(kv: KvStore, key: Uint8Array): Promise<number> {
  return (await kv.range({ start: key })).revision;
}

export function txnTests(subject: KvUnderTest): void {
  itOn(subject, 'a transaction that writes takes one revision, however much it writes', async ({ kv, key, all }) => {
    const before = await putOne(kv, key('z'));
    const result = await kv.txn({ success: [put(key('a'), '1'), put(key('b'), '2'), del({ start: key('z') })] });
    expect(result).toEqual({
      succeeded: true,
      revision: before + 1,
      results: [{ kind: 'put' }, { kind: 'put' }, { kind: 'delete', deleted: 1 }],
    });
    const { items } = await kv.range(all());
    expect(items.map((item) => item.revision)).toEqual([before + 1, before + 1]);
  });

  itOn(subject, 'what changes nothing takes no revision', async ({ kv, key, all }) => {
    const revision = await putOne(kv, key('a'), '1');
    const idle: Txn[] = [
      { success: [] },
      { success: [range(all())] },
      { success: [del({ start: key('b') })] },
      { success: [del(all('b'))] },
      { compares: [absent(key('a'))], success: [put(key('a'), '2')] },
      { compares: [absent(key('a'))], success: [put(key('a'), '2')], failure: [range(all())] },
    ];
    for (const txn of idle) expect((await kv.txn(txn)).revision).toBe(revision);
    expect(await revisionOf(kv, key('a'))).toBe(revision);
    expect(await textAt(kv, key('a'))).toBe('1');
    expect(await putOne(kv, key('a'), '1')).toBe(revision + 1);
  });

  itOn(subject, 'compares decide between the branches', async (test) => {
    const { kv, key } = test;
    await putOne(kv, key('a'), 'x');
    const revision = await putOne(kv, key('a'), 'm');
    const made = revision - 1;
    const a = key('a');
    const none = key('none');
    const of = (target: 'version' | 'revision' | 'createRevision', is: Comparison, value: number, k = a): Compare => ({
      key: k,
      target,
      is,
      value,
    });
    const value = (is: Comparison, value: string, k = a): Compare => ({
      key: k,
      target: 'value',
      is,
      value: textKey(value),
    });
    const table: [Compare[], boolean][] = [
      [[], true],
      [[of('version', '=', 2)], true],
      [[of('version', '=', 1)], false],
      [[of('version', '>', 1)], true],
      [[of('version', '<', 2)], false],
      [[of('version', '!=', 2)], false],
      [[of('revision', '=', revision)], true],
      [[of('revision', '<', revision + 1)], true],
      [[of('revision', '>', revision)], false],
      [[of('createRevision', '=', made)], true],
      [[of('createRevision', '!=', made)], false],
      [[value('=', 'm')], true],
      [[value('!=', 'm')], false],
      [[value('<', 'n')], true],
      [[value('>', 'lzz')], true],
      [[value('<', 'm')], false],
      [[value('=', '')], false],
      [[of('version', '=', 0, none)], true],
      [[of('revision', '=', 0, none)], true],
      [[of('createRevision', '<', 1, none)], true],
      [[value('=', '', none)], false],
      [[value('!=', 'x', none)], false],
      [[value('<', 'x', none)], false],
      [[absent(none), present(a)], true],
      [[absent(none), absent(a)], false],
      [[unchanged(none, undefined), unchanged(a, (await kv.get(a))!)], true],
    ];
    for (const [compares, succeeded] of table) {
      const result = await kv.txn({ compares, success: [range({ start: a })], failure: [] });
      expect([result.succeeded, result.results.length]).toEqual([succeeded, succeeded ? 1 : 0]);
    }
  });

  itOn(subject, 'else is done when a compare fails', async (test) => {
    const { kv, key } = test;
    const revision = await putOne(kv, key('a'), 'old');
    const result = await kv.txn({
      compares: [absent(key('a'))],
      success: [put(key('a'), 'new')],
      failure: [put(key('b'), 'other'), range({ start: key('a') })],
    });
    expect(result).toMatchObject({ succeeded: false, revision: revision + 1 });
    expect(shown(test, result.results[1])).toEqual(['a=old']);
    expect(await textAt(kv, key('a'))).toBe('old');
    expect(await textAt(kv, key('b'))).toBe('other');
  });

  itOn(subject, 'reads see the state before the writes, wherever they stand', async (test) => {
    const { kv, key, all } = test;
    await kv.txn({ success: [put(key('a'), '1'), put(key('b'), '2'), put(key('c'), '3')] });
    const { results } = await kv.txn({
      success: [
        put(key('a'), 'new'),
        range({ start: key('a') }),
        del(all('b')),
        range(all()),
        put(key('d'), '4'),
        range({ start: key('d') }),
        { kind: 'range', range: all(), limit: 1, after: key('a'), keysOnly: true },
      ],
    });
    expect(results.map(({ kind }) => kind)).toEqual(['put', 'range', 'delete', 'range', 'put', 'range', 'range']);
    expect(shown(test, results[1])).toEqual(['a=1']);
    expect(results[2]).toEqual({ kind: 'delete', deleted: 1 });
    expect(shown(test, results[3])).toEqual(['a=1', 'b=2', 'c=3']);
    expect(shown(test, results[5])).toEqual([]);
    expect(results[6]).toMatchObject({ more: true, items: [{ version: 1 }] });
    expect(shown(test, results[6])).toEqual(['b=']);
  });

  itOn(subject, 'deletes take keys and ranges', async ({ kv, key, all }) => {
    await kv.txn({ success: ['a', 'b', 'ba', 'c'].map((name) => put(key(name))) });
    const { results } = await kv.txn({ success: [del(all('b')), del({ start: key('a') }), del({ start: key('x') })] });
    expect(results).toEqual([2, 1, 0].map((deleted) => ({ kind: 'delete', deleted })));
    expect(await kv.count(all())).toBe(1);
  });

  itOn(subject, 'no key is written twice', async ({ kv, key, all }) => {
    const twice: Operation[][] = [
      [put(key('a')), put(key('a'))],
      [put(key('a')), del({ start: key('a') })],
      [put(key('ab')), del(all('a'))],
      [del(all('a')), put(key('ab'))],
      [del(all('a')), del(all('ab'))],
      [del({ start: key('a'), end: new Uint8Array(0) }), put(key('z'))],
    ];
    const revision = await putOne(kv, key('z'));
    for (const then of twice) {
      await expectCode(kv.txn({ success: then }), 'invalid_argument');
      await expectCode(kv.txn({ success: [], failure: then }), 'invalid_argument');
    }
    // Side by side is not twice, and neither is once in each branch.
    await kv.txn({ success: [put(key('b')), del(all('a')), del({ start: key('b\0'), end: key('c') }), put(key('c'))] });
    await kv.txn({ success: [put(key('a'))], failure: [put(key('a'))] });
    expect(await putOne(kv, key('z'))).toBe(revision + 3);
  });

  itOn(subject, 'as many operations and bytes as the limits say, and no more', async ({ kv, key, all }) => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => put(key(`${i}`)));
    const max = limits.kvOperationsCountMax;
    const compares = Array.from({ length: max }, (_, i) => absent(key(`absent ${i}`)));
    await kv.txn({ compares, success: many(max), failure: many(max) });
    expect(await kv.count(all())).toBe(max);
    await expectCode(kv.txn({ success: many(max + 1) }), 'too_large');
    await expectCode(kv.txn({ success: [], failure: many(max + 1) }), 'too_large');
    await expectCode(kv.txn({ compares: [...compares, absent(key('x'))], success: [] }), 'too_large');

    const room = limits.kvTxnBytesMax - limits.kvOperationBytes - key('big').length;
    await kv.txn({ success: [{ kind: 'put', key: key('big'), value: new Uint8Array(room) }] });
    expect((await kv.get(key('big')))!.value.length).toBe(room);
    await expectCode(
      kv.txn({ success: [{ kind: 'put', key: key('big'), value: new Uint8Array(room + 1) }] }),
      'too_large',
    );
    const halves = ['l', 'r'].map((name) => put(key(name), 'x'.repeat(room / 2)));
    await expectCode(kv.txn({ success: halves }), 'too_large');
    await expectCode(kv.txn({ success: [halves[0]!], failure: [halves[1]!] }), 'too_large');
  });

  itOn(subject, 'bytes at every limit at once still fit', async ({ kv, key }) => {
    const max = limits.kvOperationsCountMax;
    const rest = limits.kvTxnBytesMax - 3 * max * limits.kvOperationBytes;
    const each = Math.floor(rest / (3 * max));
    const long = (i: number, salt: string) => Uint8Array.from([...key(`${salt}${i}/`), ...new Uint8Array(100)]);
    const ranges = Array.from(
      { length: max },
      (_, i): Operation => ({ kind: 'range', range: { start: long(i, 'r') } }),
    );
    const puts = Array.from({ length: max }, (_, i): Operation => {
      const k = long(i, 'p');
      return { kind: 'put', key: k, value: new Uint8Array(each - k.length) };
    });
    const compares = Array.from({ length: max }, (_, i): Compare => {
      const k = long(i, 'p');
      return { key: k, target: 'value', is: '=', value: new Uint8Array(each - k.length) };
    });
    expect((await kv.txn({ compares, success: ranges, failure: puts })).succeeded).toBe(false);
    expect((await kv.txn({ compares, success: ranges, failure: puts })).succeeded).toBe(true);
  });

  itOn(subject, 'bad keys, compares and operations are refused, and nothing is done', async ({ kv, key, all }) => {
    const none = new Uint8Array(0);
    const long = new Uint8Array(limits.kvKeyBytesMax + 1).fill(1);
    const good = put(key('a'));
    const bad: [Txn, 'invalid_argument' | 'too_large'][] = [
      [{ success: [good, put(none)] }, 'invalid_argument'],
      [{ success: [good, put(long)] }, 'too_large'],
      [{ success: [good, del({ start: none })] }, 'invalid_argument'],
      [{ success: [good, del({ start: key('c'), end: key('b') })] }, 'invalid_argument'],
      [{ success: [good, { kind: 'range', range: all(), limit: 0 }] }, 'invalid_argument'],
      [{ compares: [absent(none)], success: [good] }, 'invalid_argument'],
      [{ compares: [{ key: key('a'), target: 'version', is: '=', value: -1 }], success: [good] }, 'invalid_argument'],
    ];
    for (const [txn, code] of bad) await expectCode(kv.txn(txn), code);
    expect(await kv.count(all())).toBe(0);
  });

  itOn(subject, 'the longest key can be put, read, and gone past', async ({ kv, key, all }) => {
    const longest = Uint8Array.from([...key(''), ...new Uint8Array(limits.kvKeyBytesMax).fill(0xfe)]).subarray(
      0,
      limits.kvKeyBytesMax,
    );
    await putOne(kv, longest);
    expect((await kv.get(longest))?.version).toBe(1);
    expect((await kv.range(all(), { after: longest })).items).toEqual([]);
    expect((await kv.txn({ success: [del({ start: longest })] })).results).toEqual([{ kind: 'delete', deleted: 1 }]);
  });

  itOn(subject, 'a delete takes so many keys and no more', async ({ kv, key, all }) => {
    const max = limits.kvOperationsCountMax;
    const count = limits.kvDeletedCountMax + 1;
    const name = (i: number) => key(String(i).padStart(6, '0'));
    const txns: Promise<unknown>[] = [];
    for (let i = 0; i < count; i += max) {
      txns.push(kv.txn({ success: Array.from({ length: Math.min(max, count - i) }, (_, k) => put(name(i + k))) }));
    }
    await Promise.all(txns);
    await expectCode(kv.txn({ success: [put(key('x')), del(all('0'))] }), 'too_large');
    expect(await kv.count(all())).toBe(count);
    const { results } = await kv.txn({ success: [del({ start: name(0), end: name(count - 1) })] });
    expect(results).toEqual([{ kind: 'delete', deleted: limits.kvDeletedCountMax }]);
    expect(await kv.count(all())).toBe(1);
  });

  itOn(subject, 'of many that compare at once, one succeeds', async ({ kv, key }) => {
    const attempts = Array.from({ length: 50 }, (_, i) =>
      kv.txn({ compares: [absent(key('a'))], success: [put(key('a'), `${i}`)] }),
    );
    const winners = (await Promise.all(attempts)).flatMap(({ succeeded }, i) => (succeeded ? [`${i}`] : []));
    expect(winners).toEqual([await textAt(kv, key('a'))]);
  });

  itOn(subject, 'counters that many raise lose nothing', async ({ kv, key }) => {
    const raise = async () => {
      for (;;) {
        const read = await kv.get(key('n'));
        const next = Number(read === undefined ? 0 : text(read.value)) + 1;
        const done = await kv.txn({ compares: [unchanged(key('n'), read)], success: [put(key('n'), `${next}`)] });
        if (done.succeeded) return;
      }
    };
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        for (let i = 0; i < 5; i++) await raise();
      }),
    );
    expect(await textAt(kv, key('n'))).toBe('25');
    expect((await kv.get(key('n')))!.version).toBe(25);
  });

  itOn(subject, 'transactions of one moment see each other in one order', async ({ kv, key, all }) => {
    const before = await putOne(kv, key('log'), '');
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 2 === 0
          ? kv.txn({ success: [put(key(`k${i}`)), range(all('k'))] })
          : kv.txn({ success: [del(all('k')), range(all('k'))] }),
      ),
    );
    const changed = results.map(({ results: [write] }) => (write?.kind === 'delete' ? write.deleted > 0 : true));
    // Replayed in order of revisions, every answer fits; one that changed nothing saw the revision that it names.
    const inOrder = [...results.keys()].sort(
      (a, b) => results[a]!.revision - results[b]!.revision || Number(changed[b]) - Number(changed[a]),
    );
    let present = 0;
    let revision = before;
    for (const i of inOrder) {
      const [write, seen] = results[i]!.results;
      expect(seen?.kind === 'range' && seen.items.length).toBe(present);
      if (write?.kind === 'delete') expect(write.deleted).toBe(present);
      present = write?.kind === 'delete' ? 0 : present + 1;
      if (changed[i]) revision += 1;
      expect(results[i]!.revision).toBe(revision);
    }
  });

  itOn(subject, 'a key made again begins anew', async ({ kv, key }) => {
    await putOne(kv, key('a'));
    await deleteOne(kv, key('a'));
    const { succeeded } = await kv.txn({ compares: [absent(key('a'))], success: [put(key('a'), 'again')] });
    expect(succeeded).toBe(true);
    expect((await kv.get(key('a')))!.version).toBe(1);
  });
}
