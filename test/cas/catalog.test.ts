// The catalog over an index in memory, beside a log that the test plays.

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type BlobHash, toHash } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { BlobTable } from '../../src/cas/blob-table.js';
import { Catalog } from '../../src/cas/catalog.js';
import { MemoryRows, sharesOf } from '../../src/cas/memory-rows.js';
import { SegmentUsage } from '../../src/cas/segment-usage.js';
import { MemoryIndex } from '../support/memory-index.js';
import { seededRandom } from '../support/random.js';

const random = seededRandom(1);

class Played {
  readonly index = new MemoryIndex();
  readonly catalog: Catalog;
  #offset = 0;

  constructor() {
    const memory = new MemoryRows(sharesOf(2 ** 30), BlobTable.create(random), undefined, true);
    this.catalog = new Catalog({
      memory,
      index: this.index,
      usage: new SegmentUsage(),
      indexedTo: undefined,
      saveChangesMin: 1_000_000,
      log: { end: () => ({ segment: 1, offset: this.#offset }), makeDurable: async () => {} },
    });
  }

  place(count: number): BlobHash[] {
    const hashes = Array.from({ length: count }, () => toHash(random.bytes(32)));
    for (const hash of hashes) {
      this.catalog.place(hash, { size: 1, segment: 1, offset: this.#offset, large: false });
      this.#offset += 64;
    }
    return hashes;
  }
}

describe('the catalog', () => {
  it('comes to the end of a flush, however much is stored beside it', async () => {
    const play = new Played();
    play.place(10_000);
    let isDone = false;
    const flushing = play.catalog.flush().then(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone && turns < 300; turns++) {
      play.place(2 * limits.indexStepRowsMax);
      await setImmediate();
    }
    expect(isDone).toBe(true);
    await flushing;
    expect(play.index.batchCount).toBe(1);
  });

  it('lists what the index has refused, also while it is asked to take it once more', async () => {
    const play = new Played();
    const hashes = play.place(3);
    const { apply, list } = play.index;
    let letGo = () => {};
    play.index.apply = async () => {
      throw new CairnError('no_space', 'the index has no room');
    };
    let listing = () => {};
    const isListing = new Promise<void>((resolve) => {
      listing = resolve;
    });
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    play.index.list = async (after, limit) => {
      const found = await list.call(play.index, after, limit);
      listing();
      await held;
      return found;
    };
    const listed = play.catalog.list(undefined, 10);
    await isListing;
    play.index.apply = async (changes, position) => {
      await setImmediate();
      await apply.call(play.index, changes, position);
    };
    const flushing = play.catalog.flush();
    letGo();
    expect((await listed).map(({ hash }) => Buffer.from(hash).toString('hex'))).toEqual(
      hashes.map((hash) => Buffer.from(hash).toString('hex')).sort(),
    );
    await flushing;
  });
});
