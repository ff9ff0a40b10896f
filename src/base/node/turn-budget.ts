// Shares a turn of the event loop among all calls that have much to do in small steps, so that many of them together do
// not make it longer than one would.

interface Waiting {
  readonly count: number;
  readonly begin: () => void;
}

export class TurnBudget {
  readonly #countMax: number;
  #used = 0;
  #waiting: Waiting[] = [];
  #ends = false;

  /** So many things may be done in one turn. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Undefined: so many more may be done at once. Otherwise when the promise resolves; first come, first served. */
  take(count: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(count)) {
      this.#use(count);
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ count, begin: resolve }));
  }

  /** A step that is larger than a turn gets one for itself. */
  #fits(count: number): boolean {
    return this.#used === 0 || this.#used + count <= this.#countMax;
  }

  #use(count: number): void {
    this.#used += count;
    if (this.#ends) return;
    this.#ends = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#ends = false;
    this.#used = 0;
    let begun = 0;
    for (const { count, begin } of this.#waiting) {
      if (!this.#fits(count)) break;
      this.#use(count);
      begin();
      begun++;
    }
    this.#waiting.splice(0, begun);
  }
}
