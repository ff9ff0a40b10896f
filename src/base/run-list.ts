// Bytes in the runs in which they came, until somebody wants them. A run costs some hundred bytes beside its own, whatever its
// length, and whoever sends decides how long runs are. So beyond the first few, short ones are copied behind one another:
// what the list takes follows the bytes that are counted, and not how they were cut.

import { limits } from './limits.js';

export class RunList {
  readonly #runs: Uint8Array[] = [];
  /** Where short runs are copied to, how much of it is in use, and where the last run begins in it, if it lies there. */
  #block: Uint8Array | undefined;
  #filled = 0;
  #start: number | undefined;

  /** In order. The last one may be exchanged for a longer one with the next `push`. */
  get runs(): readonly Uint8Array[] {
    return this.#runs;
  }

  push(run: Uint8Array): void {
    if (this.#runs.length < limits.uncopiedRunsCountMax || run.length > limits.copiedRunBytesMax) {
      this.#runs.push(run);
      this.#start = undefined;
      return;
    }
    if (this.#block === undefined || this.#filled + run.length > this.#block.length) {
      this.#block = new Uint8Array(limits.copiedRunsBlockBytes);
      this.#filled = 0;
      this.#start = undefined;
    }
    this.#block.set(run, this.#filled);
    if (this.#start === undefined) this.#start = this.#filled;
    else this.#runs.pop();
    this.#filled += run.length;
    this.#runs.push(this.#block.subarray(this.#start, this.#filled));
  }

  /** Takes the first one away. */
  shift(): void {
    this.#runs.shift();
    if (this.#runs.length === 0) this.#start = undefined;
  }
}
