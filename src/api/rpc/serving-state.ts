// Whether this server wants new work. True from the start until `drain`, which is for good.

export class ServingState {
  readonly #draining = new AbortController();

  get serving(): boolean {
    return !this.#draining.signal.aborted;
  }

  /** Aborts when the server begins to drain. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  drain(): void {
    this.#draining.abort();
  }
}
