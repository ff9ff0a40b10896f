// Who works on which upload session in this process: one at a time. A request that brings bytes keeps its session for
// itself; one that has stalled, as a broken connection does, is cut short by the next.

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { changedByAnother } from './upload-writer.js';

export interface UploadLease {
  /** Called for bytes that came. */
  moved(): void;
  /** What cuts the holder short; called at once when it was to be cut short before. */
  onInterrupt(interrupt: (reason: unknown) => void): void;
  release(): void;
}

interface Held {
  lastMoved: number;
  interrupt: (reason: unknown) => void;
  interrupted: { readonly reason: unknown } | undefined;
  readonly released: Promise<void>;
}

export class UploadLeases {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isHeld(uploadId: string): boolean {
    return this.#held.has(uploadId);
  }

  /** `conflict` while another holds it and has not stalled. */
  async take(uploadId: string): Promise<UploadLease> {
    const held = this.#held.get(uploadId);
    if (held !== undefined) {
      const quiet = this.#clock.monotonic() - held.lastMoved;
      if (quiet < limits.uploadStalledMilliseconds) throw changedByAnother(uploadId);
      await this.interrupt(uploadId, changedByAnother(uploadId));
      // Whoever waited with us may have been faster.
      if (this.#held.has(uploadId)) throw changedByAnother(uploadId);
    }
    return this.#grant(uploadId);
  }

  /** Resolves when the holder, if any, has let go. */
  async interrupt(uploadId: string, reason: unknown): Promise<void> {
    const held = this.#held.get(uploadId);
    if (held === undefined) return;
    held.interrupted ??= { reason };
    held.interrupt(reason);
    await held.released;
  }

  async interruptAll(reason: unknown): Promise<void> {
    await Promise.all([...this.#held.keys()].map((uploadId) => this.interrupt(uploadId, reason)));
  }

  #grant(uploadId: string): UploadLease {
    const { promise: released, resolve } = promiseWithResolvers();
    const held: Held = { lastMoved: this.#clock.monotonic(), interrupt: () => {}, interrupted: undefined, released };
    this.#held.set(uploadId, held);
    return {
      moved: () => {
        held.lastMoved = this.#clock.monotonic();
      },
      onInterrupt: (interrupt) => {
        held.interrupt = interrupt;
        if (held.interrupted !== undefined) interrupt(held.interrupted.reason);
      },
      release: () => {
        this.#held.delete(uploadId);
        resolve();
      },
    };
  }
}

function promiseWithResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
