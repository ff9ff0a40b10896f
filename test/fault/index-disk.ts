// What a disk holds of an index: the batches that were applied. A crash may take back any number of the last ones, which
// is more than LevelDB should lose. Applying may be made slow, and may be made to fail.

import type { CairnError } from '../../src/base/errors.js';
import type { IndexChange, IndexDb, IndexHome } from '../../src/cas/index-db.js';
import type { LogPosition } from '../../src/log/record.js';
import { MemoryIndex } from '../support/memory-index.js';
import type { SeededRandom } from '../support/random.js';

interface Batch {
  readonly changes: readonly IndexChange[];
  readonly position: LogPosition | undefined;
}

export class IndexDisk {
  /** What applying a batch waits for. */
  linger: () => Promise<void> = async () => {};
  /** What applying a batch fails with. */
  inject: () => CairnError | undefined = () => undefined;
  #batches: Batch[];

  constructor(batches: readonly Batch[] = []) {
    this.#batches = [...batches];
  }

  get batchCount(): number {
    return this.#batches.length;
  }

  /** As a crash now may leave it. */
  crash(random: SeededRandom): IndexDisk {
    const kept = random.chance(0.5) ? this.#batches.length : random.between(0, this.#batches.length);
    return new IndexDisk(this.#batches.slice(0, kept));
  }

  /** Whoever has the index open changes it no more. */
  kill(): void {
    this.#batches = [...this.#batches];
  }

  home(): IndexHome {
    const destroy = async () => {
      this.#batches = [];
    };
    return { open: () => this.#open(), destroy };
  }

  async #open(): Promise<IndexDb> {
    const index = new MemoryIndex();
    for (const { changes, position } of this.#batches) await index.apply(changes, position);
    const batches = this.#batches;
    return {
      position: () => index.position(),
      apply: async (changes, position) => {
        const copy = [...changes];
        await this.linger();
        if (batches !== this.#batches) return new Promise(() => {});
        const failure = this.inject();
        if (failure !== undefined) throw failure;
        await index.apply(copy, position);
        batches.push({ changes: copy, position });
      },
      usage: () => index.usage(),
      rows: (hashes) => index.rows(hashes),
      rowNow: (hash) => index.rowNow(hash),
      entries: () => index.entries(),
      list: (after, limit) => index.list(after, limit),
      close: () => index.close(),
    };
  }
}
