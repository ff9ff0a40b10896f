// The state machine by itself: entries in batches of any size, machines that stop at any write, disks that forget.

import { describe, expect, it, vi } from 'vitest';
import { CairnError, errorCode } from '../../src/base/errors.js';
import type { KvEntry, KvOutcome } from '../../src/meta/apply-entries.js';
import { everyKey, spanOf, textKey } from '../../src/meta/keys.js';
import type { WatchBatch } from '../../src/meta/kv.js';
import { KvState } from '../../src/meta/kv-state.js';
import { put } from '../conformance/kv-kit.js';
import { ForgetfulRowDb } from '../support/forgetful-row-db.js';
import { KvModel, plain, RandomTxns } from '../support/kv-model.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

interface Life {
  readonly entries: readonly KvEntry[];
  readonly outcomes: readonly unknown[];
  readonly model: KvModel;
  /** After each entry. */
  readonly revisions: readonly number[];
}

/** Entries as a log might have them, and what each must be answered. */
function makeLife(random: SeededRandom, count: number): Life {
  const model = new KvModel(1);
  const any = new RandomTxns(random, textKey(''));
  const entries: KvEntry[] = [];
  const outcomes: unknown[] = [];
  const revisions: number[] = [];
  for (let i = 0, index = 0; i < count; i++) {
    index += random.chance(0.1) ? 2 : 1;
    if (random.chance(0.05)) {
      entries.push({ index, command: undefined });
      outcomes.push(undefined);
    } else if (random.chance(0.1)) {
      const revision = random.between(1, model.revision + 1);
      entries.push({ index, command: { kind: 'compact', revision } });
      outcomes.push(revision > model.revision ? 'out_of_range' : undefined);
      if (revision <= model.revision) model.compact(revision);
    } else {
      const txn = any.txn(model.revision);
      entries.push({ index, command: { kind: 'txn', txn } });
      outcomes.push(model.apply(txn));
    }
    revisions.push(model.revision);
  }
  return { entries, outcomes, model, revisions };
}

const codes = (outcomes: readonly KvOutcome[]) =>
  outcomes.map((outcome) => (outcome instanceof CairnError ? outcome.code : outcome));

async function expectLikeModel(state: KvState, model: KvModel, random: SeededRandom): Promise<void> {
  const any = new RandomTxns(random, textKey(''));
  expect([state.revision, state.compacted]).toEqual([model.revision, model.compacted]);
  for (let i = 0; i < 20; i++) {
    const range = any.range();
    const page = any.page();
    expect(plain(await state.range(range, page))).toEqual(
      plain({ ...(model.page(range, page) as object), revision: model.revision }),
    );
    const revision = random.between(model.compacted, model.revision);
    if (revision < 1) continue;
    expect(plain(await state.range(range, { ...page, revision }))).toEqual(
      plain({ ...(model.page(range, page, revision) as object), revision }),
    );
  }
  const from = model.compacted + 1;
  expect(plain(await allChanges(state, from))).toEqual(plain(model.changes(everyKey, from)));
}

async function allChanges(state: KvState, from: number): Promise<WatchBatch[]> {
  const all: WatchBatch[] = [];
  for (let next = from; next <= state.revision; ) {
    const { batches, through } = await state.changes(next, spanOf(everyKey));
    all.push(...batches);
    next = through + 1;
  }
  return all;
}

describe('random lives', () => {
  it('end the same, however their entries are batched', async () => {
    const seed = testSeed('batches of entries');
    for (let round = 0; round < 10 * testRounds(); round++) {
      const random = seededRandom(seed + round);
      const { entries, outcomes, model } = makeLife(random, 120);
      const state = await KvState.open(new ForgetfulRowDb());
      for (let i = 0; i < entries.length; ) {
        const count = random.between(1, 40);
        const answers = await state.apply(entries.slice(i, i + count));
        expect(plain(codes(answers))).toEqual(plain(outcomes.slice(i, i + count)));
        i += count;
      }
      expect(state.appliedIndex).toBe(entries.at(-1)!.index);
      await expectLikeModel(state, model, random);
      await state.close();
    }
  });

  it('go on after a crash from an entry that had been applied, and answer the rest as before', async () => {
    const seed = testSeed('crashes of the state');
    for (let round = 0; round < 20 * testRounds(); round++) {
      const random = seededRandom(seed + round);
      const { entries, outcomes, model, revisions } = makeLife(random, 80);
      let db = new ForgetfulRowDb();
      let state = await KvState.open(db);
      let answered = 0;
      for (let i = 0; i < entries.length; ) {
        const count = random.between(1, 20);
        const stopsIn = random.chance(0.3) ? random.below(3) : Number.POSITIVE_INFINITY;
        db.failAfter(stopsIn);
        const answers = await state.apply(entries.slice(i, i + count)).catch((error) => errorCode(error));
        if (answers !== 'storage') {
          expect(plain(codes(answers as KvOutcome[]))).toEqual(plain(outcomes.slice(i, i + count)));
          answered = Math.max(answered, Math.min(entries.length, i + count));
          i += count;
          if (stopsIn === Number.POSITIVE_INFINITY) continue;
        }
        const crashed = await db.crash(random);
        await state.close();
        db = crashed;
        state = await KvState.open(db);
        i = entries.findIndex(({ index }) => index > state.appliedIndex);
        if (i < 0) i = entries.length;
        // Nothing that was answered and had changed something is lost, and nothing is applied by half.
        expect(state.revision).toBe(revisions[i - 1] ?? 1);
        expect(state.revision).toBeGreaterThanOrEqual(revisions[answered - 1] ?? 1);
      }
      await expectLikeModel(state, model, random);
      await state.close();
    }
  });

  it('leave nothing behind that is superfluous once all is compacted and swept', async () => {
    const seed = testSeed('sweeping');
    const random = seededRandom(seed);
    const { entries, model } = makeLife(random, 300);
    const db = new ForgetfulRowDb();
    const state = await KvState.open(db);
    await state.apply(entries);
    await state.apply([{ index: 1_000_000, command: { kind: 'compact', revision: model.revision } }]);
    const count = model.count(everyKey);
    await vi.waitFor(async () => {
      expect((await db.rowsOf('c')).length).toBe(0);
      expect((await db.rowsOf('v')).length).toBe(count);
      expect((await db.rowsOf('h')).length).toBe(count);
    });
    await state.close();
  });
});

describe('compaction beside a slow reader', () => {
  /** Reads of values wait until they are let go. */
  class SlowRowDb extends ForgetfulRowDb {
    gate: Promise<void> | undefined;

    override async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
      if (keys.some(([prefix]) => prefix === 'v'.charCodeAt(0))) await this.gate;
      return super.getMany(keys);
    }
  }

  const puts = (count: number): KvEntry[] =>
    Array.from({ length: count }, (_, i) => ({
      index: i + 1,
      command: { kind: 'txn', txn: { success: [put(textKey('a'), `${i}`)] } },
    }));

  it('changes that are forgotten while they are read are out of range; the present is read all the same', async () => {
    const db = new SlowRowDb();
    const state = await KvState.open(db);
    await state.apply(puts(3));
    let open = () => {};
    db.gate = new Promise((resolve) => {
      open = resolve;
    });
    const changes = state.changes(state.revision, spanOf(everyKey));
    const present = state.get(textKey('a'), {});
    const [old] = await state.apply([
      { index: 4, command: { kind: 'txn', txn: { success: [put(textKey('a'), 'new')] } } },
      { index: 5, command: { kind: 'compact', revision: state.revision + 1 } },
    ]);
    expect(old).toMatchObject({ succeeded: true });
    await vi.waitFor(async () => expect((await db.rowsOf('v')).length).toBe(1));
    open();
    await expect(changes).rejects.toMatchObject({ code: 'out_of_range' });
    expect(plain((await present)?.value)).toBe(plain(textKey('new')));
    await state.close();
  });

  it('a state opened again goes on sweeping', async () => {
    const db = new ForgetfulRowDb();
    const state = await KvState.open(db);
    await state.apply(puts(50));
    await state.apply([{ index: 51, command: { kind: 'compact', revision: state.revision } }]);
    // What is written now may have met no step of the sweep yet.
    const crashed = await db.crash(seededRandom(1));
    await state.close();
    const again = await KvState.open(crashed);
    await vi.waitFor(async () => expect((await crashed.rowsOf('v')).length).toBe(1));
    await again.close();
  });
});

describe('a failed write', () => {
  it('is the end of all writing, and of nothing else', async () => {
    const db = new ForgetfulRowDb();
    const onFailed = vi.fn();
    const state = await KvState.open(db, onFailed);
    const entry = (index: number): KvEntry => ({
      index,
      command: { kind: 'txn', txn: { success: [put(textKey('a'), `${index}`)] } },
    });
    await state.apply([entry(1)]);
    db.failAfter(0);
    await expect(state.apply([entry(2)])).rejects.toMatchObject({ code: 'storage' });
    db.failAfter(100);
    await expect(state.apply([entry(2)])).rejects.toMatchObject({ code: 'storage' });
    expect(onFailed.mock.calls).toEqual([[expect.objectContaining({ code: 'storage' })]]);
    expect(state.appliedIndex).toBe(1);
    expect(plain((await state.get(textKey('a'), {}))?.value)).toBe(plain(textKey('1')));
    await state.close();
  });
});

describe('what is not ours', () => {
  it.each([
    ['rows of something else', 'x', 'anything'],
    ['another format', 'm/format', 'cairn metadata 9'],
    ['a damaged state', 'm/state', 'nonsense'],
  ])('%s is corrupt, and the database is closed', async (_, key, value) => {
    const db = new ForgetfulRowDb();
    if (key === 'm/state') await (await KvState.open(db)).apply([]);
    await db.write([{ key: textKey(key), value: textKey(value) }]);
    await expect(KvState.open(db)).rejects.toMatchObject({ code: 'corrupt' });
    await expect(db.getMany([])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a row changed on the disk is corrupt when it is read', async () => {
    const db = new ForgetfulRowDb();
    const state = await KvState.open(db);
    await state.apply([{ index: 1, command: { kind: 'txn', txn: { success: [put(textKey('a'), 'value')] } } }]);
    for (const prefix of ['h', 'v', 'c']) {
      const [key] = await db.rowsOf(prefix);
      const [row] = await db.getMany([key!]);
      const damaged = Uint8Array.from(row!);
      damaged[9]! ^= 1;
      await db.write([{ key: key!, value: damaged }]);
      const read = prefix === 'c' ? state.changes(2, spanOf(everyKey)) : state.get(textKey('a'), {});
      await expect(read).rejects.toMatchObject({ code: 'corrupt' });
      await db.write([{ key: key!, value: row! }]);
    }
    await state.close();
  });
});
