// Large files that are not yet as the log says, in `memory` durability: those whose record may be durable before they are,
// and those whose tombstone may not be durable yet, so that they must not be unlinked. `settle` catches up. In `disk`
// durability there are none.

import type { LargeFileName, LargeFiles } from './large-files.js';
import type { Poison } from './poison.js';

export class LaggingFiles {
  readonly #unsynced = new Set<LargeFileName>();
  #condemned: LargeFileName[] = [];

  /** The file was adopted without being synced. */
  addUnsynced(name: LargeFileName): void {
    this.#unsynced.add(name);
  }

  /** The file has no record after all. */
  forgetUnsynced(name: LargeFileName): void {
    this.#unsynced.delete(name);
  }

  /** The file's tombstone was written. */
  addCondemned(name: LargeFileName): void {
    this.#condemned.push(name);
  }

  /** Makes everything durable that was written before the call. */
  async settle(files: LargeFiles, poison: Poison, syncLog: () => Promise<void>): Promise<void> {
    const condemned = this.#condemned;
    this.#condemned = [];
    try {
      for (const name of [...this.#unsynced]) {
        await poison.guard(() => files.sync(name));
        this.#unsynced.delete(name);
      }
      await poison.guard(syncLog);
    } catch (error) {
      this.#condemned.push(...condemned);
      throw error;
    }
    for (const name of condemned) await files.condemn(name);
  }
}
