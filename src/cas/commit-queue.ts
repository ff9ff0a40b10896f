// Makes sure that of all writers of one blob only one commits at a time, whatever they are doing otherwise. Who finds the
// blob being committed waits for that commit and shares its success; who is still receiving bytes is told at once.

import { type BlobHash, type Digest, hashKey } from '../base/digest.js';
import { assert } from '../base/errors.js';

/** The end of a commit under way, as a promise only where somebody waits for it. */
class CommitEnd {
  #promise: Promise<void> | undefined;
  #resolve: (() => void) | undefined;

  get promise(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  reach(): void {
    this.#resolve?.();
  }
}

export class CommitQueue {
  readonly #committing = new Map<string, CommitEnd>();
  /** Writers that wait for bytes of a blob they were told the name of, to be called when it appears. */
  readonly #waiting = new Map<string, Set<(stored: Digest) => void>>();

  /** Calls back once when the blob is announced; the answer stops waiting. */
  whenStored(hash: BlobHash, callback: (stored: Digest) => void): () => void {
    const key = hashKey(hash);
    const callbacks = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, callbacks.add(callback));
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#waiting.delete(key);
    };
  }

  /** Tells everyone who waits that the blob is stored. */
  announce(stored: Digest): void {
    if (this.#waiting.size === 0) return;
    const callbacks = this.#waiting.get(hashKey(stored.hash));
    if (callbacks === undefined) return;
    for (const callback of [...callbacks]) callback(stored);
  }

  /** Resolves, also after a failure, when nobody is committing this blob; undefined when nobody is. */
  settled(hash: BlobHash): Promise<void> | undefined {
    return this.#committing.get(hashKey(hash))?.promise;
  }

  /**
   * Runs `commit` as the only one for its blob, after those before it, unless `isStored` says that there is no need.
   * Answers whether it was already stored. Nothing happens between a last look at `isStored` and the start of `commit`.
   */
  async run(hash: BlobHash, isStored: () => boolean, commit: () => Promise<void>): Promise<boolean> {
    for (let other = this.settled(hash); other !== undefined; other = this.settled(hash)) await other;
    if (isStored()) return true;
    const committed = commit();
    const began = this.tryBegin(hash);
    assert(began, 'one commit of a blob at a time');
    try {
      await committed;
    } finally {
      this.end(hash);
    }
    return false;
  }

  /** From now on the caller is committing this blob, until `end`; false when somebody is already. */
  tryBegin(hash: BlobHash): boolean {
    const key = hashKey(hash);
    if (this.#committing.has(key)) return false;
    this.#committing.set(key, new CommitEnd());
    return true;
  }

  /** The commit has succeeded or failed, and whatever it changed can be seen. */
  end(hash: BlobHash): void {
    const key = hashKey(hash);
    const end = this.#committing.get(key);
    this.#committing.delete(key);
    end?.reach();
  }
}
