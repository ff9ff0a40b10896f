// Rows as they are found after a crash: every write that was answered is there, and the one that the crash met is or is not.

import { CairnError } from '../../src/base/errors.js';
import { MemoryRowDb } from '../../src/meta/memory-row-db.js';
import type { RowChange } from '../../src/meta/row-db.js';
import type { SeededRandom } from './random.js';

export class ForgetfulRowDb extends MemoryRowDb {
  #writes: (readonly RowChange[])[] = [];
  #writesLeft = Number.POSITIVE_INFINITY;
  #lost: (readonly RowChange[])[] = [];

  /** The write after so many fails, and so do all that follow. */
  failAfter(writes: number): void {
    this.#writesLeft = writes;
  }

  override async write(changes: readonly RowChange[]): Promise<void> {
    if (this.#writesLeft-- <= 0) {
      this.#lost.push(changes);
      throw new CairnError('storage', 'the machine has stopped');
    }
    this.#writes.push(changes);
    await super.write(changes);
  }

  /** What the next process finds. This one writes no more. */
  async crash(random: SeededRandom): Promise<ForgetfulRowDb> {
    this.failAfter(0);
    const next = new ForgetfulRowDb();
    const met = random.chance(0.5) ? this.#lost.slice(0, 1) : [];
    for (const changes of [...this.#writes, ...met]) await next.write(changes);
    return next;
  }

  /** All keys of rows of this kind. */
  async rowsOf(prefix: string): Promise<Uint8Array[]> {
    const gte = Buffer.from(prefix);
    const cursor = this.cursor({ gte, lt: Buffer.from([...gte.subarray(0, -1), gte.at(-1)! + 1]) });
    return (await cursor.next(Number.MAX_SAFE_INTEGER)).map(([key]) => key);
  }
}
