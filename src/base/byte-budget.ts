// Bytes that the whole process may hold for those who could do with less: buffers that grow, windows that widen. Everybody
// has a floor without asking; whoever wants more takes it here and gives it back. Who is refused goes on with the floor, and
// asks again with its next piece: nobody waits, so nobody who waits can hold up another.

import { assert } from './errors.js';

export class ByteBudget {
  readonly #bytesMax: number;
  readonly #taken: Int32Array;

  /** `taken` is one number that several threads may share, so that theirs is one budget. Below 2 GiB. */
  constructor(bytesMax: number, taken: Int32Array = new Int32Array(1)) {
    this.#bytesMax = bytesMax;
    this.#taken = taken;
  }

  get takenBytes(): number {
    return Atomics.load(this.#taken, 0);
  }

  /** Takes all of it or nothing; whether it was granted. Refuses what would bring the whole above `totalBytesMax`. */
  take(bytes: number, totalBytesMax: number = this.#bytesMax): boolean {
    const before = Atomics.add(this.#taken, 0, bytes);
    if (before + bytes <= Math.min(totalBytesMax, this.#bytesMax)) return true;
    Atomics.sub(this.#taken, 0, bytes);
    return false;
  }

  give(bytes: number): void {
    const before = Atomics.sub(this.#taken, 0, bytes);
    assert(before >= bytes, 'nobody gives back more than was taken');
  }
}
