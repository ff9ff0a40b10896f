// Random transactions, reads, watches, compactions and reopenings, held against a model.

import { expect } from 'vitest';
import type { KvStore, WatchBatch } from '../../src/meta/kv.js';
import { KvModel, outcomeOf, plain, RandomTxns } from '../support/kv-model.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import { expectCode, iterate, itOn, type KvTest, type KvUnderTest, take } from './kv-kit.js';

const steps = 250;

export function modelTests(subject: KvUnderTest): void {
  itOn(subject, 'does what the model does', async (test) => {
    const seed = testSeed(`${subject.name} against the model`);
    let { kv } = test;
    for (let round = 0; round < testRounds(); round++) {
      kv = await live({ ...test, kv }, seededRandom(seed + round), `r${round}/`);
    }
  });
}

/** Answers the store as it was opened last. */
async function live(test: KvTest, random: SeededRandom, prefix: string): Promise<KvStore> {
  let { kv } = test;
  const { revision } = await kv.range(test.all());
  const model = new KvModel(revision);
  const any = new RandomTxns(random, test.key(prefix));
  for (let step = 0; step < steps; step++) {
    const dice = random.below(100);
    if (dice < 55) {
      const txn = any.txn(model.revision);
      expectSame(await kv.txn(txn), model.apply(txn));
    } else if (dice < 80) await read(kv, model, any, random);
    else if (dice < 92) await watch(kv, model, any, random);
    else if (dice < 97) {
      const at = random.between(Math.max(model.firstRevision, model.compacted), model.revision);
      await kv.compact(at);
      model.compact(at);
    } else if (test.reopen !== undefined) kv = await test.reopen();
  }
  return kv;
}

async function read(kv: KvStore, model: KvModel, any: RandomTxns, random: SeededRandom): Promise<void> {
  const range = any.range();
  const page = any.page();
  expectSame(await kv.range(range, page), { ...answered(model.page(range, page)), revision: model.revision });
  expect(await kv.count(range)).toBe(model.count(range));
  const revision = Math.max(model.firstRevision, model.revision - random.below(30));
  const past = model.page(range, page, revision);
  expectSame(
    await outcomeOf(kv.range(range, { ...page, revision })),
    past === 'out_of_range' ? past : { ...past, revision },
  );
  const key = any.key();
  const single = model.page({ start: key }, {}, revision);
  expectSame(await outcomeOf(kv.get(key, { revision })), single === 'out_of_range' ? single : single.items[0]);
}

async function watch(kv: KvStore, model: KvModel, any: RandomTxns, random: SeededRandom): Promise<void> {
  const range = any.range();
  const from = Math.max(model.firstRevision + 1, model.revision - random.below(40));
  const watch = iterate(kv.watch(range, { from }));
  if (from <= model.compacted) return expectCode(watch.next(), 'out_of_range');
  // Some happens while it watches.
  const seen: WatchBatch[] = await take(watch, model.changes(range, from).length);
  for (let i = random.below(4); i > 0; i--) {
    const txn = any.txn(model.revision);
    expectSame(await kv.txn(txn), model.apply(txn));
  }
  const all = model.changes(range, from);
  seen.push(...(await take(watch, all.length - seen.length)));
  expectSame(seen, all);
  await watch.return?.();
}

function answered<T>(page: T | 'out_of_range'): T {
  if (page === 'out_of_range') throw new Error('the model cannot read the present');
  return page;
}

function expectSame(answer: unknown, want: unknown): void {
  expect(plain(answer)).toEqual(plain(want));
}
