// Brings a file to the disk while more of it is written, so that the sync at its end finds little left to do. One sync at a
// time, and none for less than `syncAheadBytes`: small files have their one sync. A failed sync is the end of the file, since
// the system may have forgotten what it could not write, and would not say so again.

import { limits } from '../base/limits.js';
import type { OpenFile } from '../log/file-system.js';

export class SyncAhead {
  readonly #file: OpenFile;
  #unsyncedBytes = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** So many bytes more are written. Fails when an earlier sync has. */
  wrote(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
    this.#unsyncedBytes += bytes;
    if (this.#running !== undefined || this.#unsyncedBytes < limits.syncAheadBytes) return;
    this.#unsyncedBytes = 0;
    this.#running = this.#file.sync().then(
      () => this.#end(undefined),
      (reason: unknown) => this.#end({ reason }),
    );
  }

  #end(failure: { readonly reason: unknown } | undefined): void {
    this.#running = undefined;
    this.#failure = failure;
  }

  /** Resolves when no sync is under way; the file may be closed then. Fails when one has failed. */
  async finish(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.reason;
  }
}
