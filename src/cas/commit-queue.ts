// Makes sure that of all writers of one blob only one commits at a time, whatever they are doing otherwise. Who finds the
// blob being committed waits for that commit and shares its success; who is still receiving bytes is told at once.

import { type BlobHash, type Digest, hashHex } from '../base/digest.js';

export class CommitQueue {
  readonly #committing = new Map<string, Promise<void>>();
  /** Writers that wait for bytes of a blob they were told the name of, to be called when it appears. */
  readonly #waiting = new Map<string, Set<(stored: Digest) => void>>();

  /** Calls back once when the blob is announced; the answer stops waiting. */
  whenStored(hash: BlobHash, callback: (stored: Digest) => void): () => void {
    const hex = hashHex(hash);
    const callbacks = this.#waiting.get(hex) ?? new Set();
    this.#waiting.set(hex, callbacks.add(callback));
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#waiting.delete(hex);
    };
  }

  /** Tells everyone who waits that the blob is stored. */
  announce(stored: Digest): void {
    const callbacks = this.#waiting.get(hashHex(stored.hash));
    if (callbacks === undefined) return;
    for (const callback of [...callbacks]) callback(stored);
  }

  /** Resolves, also after a failure, when nobody is committing this blob; undefined when nobody is. */
  settled(hash: BlobHash): Promise<void> | undefined {
    return this.#committing.get(hashHex(hash));
  }

  /**
   * Runs `commit` as the only one for its blob, after those before it, unless `isStored` says that there is no need.
   * Answers whether it was already stored. Nothing happens between a last look at `isStored` and the start of `commit`.
   */
  async run(hash: BlobHash, isStored: () => boolean, commit: () => Promise<void>): Promise<boolean> {
    const hex = hashHex(hash);
    for (let other = this.#committing.get(hex); other !== undefined; other = this.#committing.get(hex)) await other;
    if (isStored()) return true;
    const committed = commit();
    const settled = committed.then(
      () => {},
      () => {},
    );
    this.#committing.set(hex, settled);
    try {
      await committed;
    } finally {
      this.#committing.delete(hex);
    }
    return false;
  }

  /** Resolves when every commit under way is done. */
  async drained(): Promise<void> {
    await Promise.all(this.#committing.values());
  }
}
