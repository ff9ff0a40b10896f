// A bound on how many things run at once, with their failures gathered: the first one ends the whole.

export class Slots {
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<void>>();
  #free: number;
  #failure: { readonly error: unknown } | undefined;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Starts the work as soon as a slot is free and resolves then, not when the work is done. Rejects, without starting
   * it, when earlier work has failed.
   */
  async start(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#failure !== undefined) {
      this.#release();
      throw this.#failure.error;
    }
    const running: Promise<void> = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running.delete(running);
        this.#release();
      });
    this.#running.add(running);
  }

  /** Resolves when nothing runs any more; rejects with the first failure. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
