// What this server can be asked for: everything; only reads, once its disk has failed to make something durable; or
// nothing new, once it drains. It never goes back.

import { setMaxListeners } from 'node:events';

export type ServingStatus = 'serving' | 'read_only' | 'draining';

export class ServingState {
  #status: ServingStatus = 'serving';
  #changed = forMany();

  get status(): ServingStatus {
    return this.#status;
  }

  /** Aborts at the next change of status. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  stopWrites(): void {
    if (this.#status === 'serving') this.#become('read_only');
  }

  drain(): void {
    if (this.#status !== 'draining') this.#become('draining');
  }

  #become(status: ServingStatus): void {
    this.#status = status;
    const changed = this.#changed;
    this.#changed = forMany();
    changed.abort();
  }
}

/** Every watcher of the server's health listens, and Node warns of a leak beyond ten. */
function forMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
