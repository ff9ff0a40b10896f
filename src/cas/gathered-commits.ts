// Small blobs that a thread beside the store's own has hashed, gathered for a turn of the event loop: the owner commits them
// together, for one message each way, and each of their writers has an answer of its own.

import type { NamedBlob, WriteResult } from '../base/blob-store.js';
import { CairnError } from '../base/errors.js';
import type { StoreOwner } from './store-owner.js';

interface Waiting {
  resolve(result: WriteResult): void;
  reject(error: unknown): void;
}

export class GatheredCommits {
  readonly #owner: Pick<StoreOwner, 'commitMany'>;
  /** Their writers hold the bytes, and are bounded with what they hold. */
  #blobs: NamedBlob[] = [];
  #writers: Waiting[] = [];

  constructor(owner: Pick<StoreOwner, 'commitMany'>) {
    this.#owner = owner;
  }

  /** The digest is that of the bytes, which stay as they are until it resolves. */
  commit(blob: NamedBlob): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#blobs.length === 0) setImmediate(() => this.#flush());
      this.#blobs.push(blob);
      this.#writers.push({ resolve, reject });
    });
  }

  #flush(): void {
    const writers = this.#writers;
    const committing = this.#owner.commitMany(this.#blobs);
    this.#blobs = [];
    this.#writers = [];
    committing.then(
      (answers) => {
        for (const [index, answer] of answers.entries()) {
          const { resolve, reject } = writers[index]!;
          if (answer instanceof CairnError) reject(answer);
          else resolve(answer);
        }
      },
      (error: unknown) => {
        for (const { reject } of writers) reject(error);
      },
    );
  }
}
