// Whether the store may still promise anything. After a failed sync nobody knows what the disk holds, and trying again
// tells nothing: the system may have forgotten what it could not write. So there is no way back but a new start.

import { CairnError, errorCode } from '../base/errors.js';

export class Poison {
  readonly #onSet: (error: CairnError) => void;
  #error: CairnError | undefined;

  /** `onSet` is called once. */
  constructor(onSet: (error: CairnError) => void) {
    this.#onSet = onSet;
  }

  get isSet(): boolean {
    return this.#error !== undefined;
  }

  /** The first cause stays. */
  set(cause: unknown): void {
    if (this.#error !== undefined) return;
    this.#error = new CairnError('storage', 'the disk failed to make data durable; writes are refused', { cause });
    this.#onSet(this.#error);
  }

  refuse(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Runs something that makes data durable; its failure is the end of all writing, unless nothing could be tried. */
  async guard(sync: () => Promise<void>): Promise<void> {
    this.refuse();
    try {
      await sync();
    } catch (cause) {
      if (errorCode(cause) === 'overloaded') throw cause;
      this.set(cause);
      this.refuse();
    }
  }
}
