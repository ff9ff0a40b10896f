// Puts what becomes known in any order back into the order it was asked in.

export class OrderedLines {
  readonly #known = new Map<number, string | undefined>();
  #next = 0;

  constructor(private readonly print: (line: string) => void) {}

  /** Settles the line of this index, counted from 0; undefined when there is nothing to print for it. */
  settle(index: number, line: string | undefined): void {
    this.#known.set(index, line);
    while (this.#known.has(this.#next)) {
      const ready = this.#known.get(this.#next);
      this.#known.delete(this.#next++);
      if (ready !== undefined) this.print(ready);
    }
  }
}
