// Trees that were found complete. What is there stays there until something is deleted, whichever face deletes it: so a tree
// that was complete is complete as long as the store has not lost a blob since the look at it began. Whoever asks again for
// a tree that did not change, as every sync of an unchanged directory does, then gets an exact answer at once.

import { type BlobHash, hashKey } from '../base/digest.js';
import { limits } from '../base/limits.js';

export class CompleteTrees {
  /** Keys of roots, the one found longest ago first. */
  readonly #complete = new Set<string>();
  #deletedCount: number;

  /** `deletedCount` changes with every blob that the store loses, not later than the blob is out of sight. */
  constructor(private readonly deletedCount: () => number) {
    this.#deletedCount = deletedCount();
  }

  /** Whether the tree is complete, which `look` finds out where it is not known. */
  async isComplete(root: BlobHash, look: () => Promise<boolean>): Promise<boolean> {
    const before = this.deletedCount();
    if (before !== this.#deletedCount) this.#complete.clear();
    this.#deletedCount = before;
    const key = hashKey(root);
    if (this.#complete.has(key)) return true;
    if (!(await look())) return false;
    if (this.deletedCount() === before) this.#add(key);
    return true;
  }

  #add(key: string): void {
    this.#complete.add(key);
    const [oldest] = this.#complete;
    if (this.#complete.size > limits.completeTreesCountMax) this.#complete.delete(oldest!);
  }
}
