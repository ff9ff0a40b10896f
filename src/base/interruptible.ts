// Reads an async source so that waiting for its next piece can be cut short, by a signal or by anyone who calls
// `interrupt`. A source that never answers then holds nobody up: it is told to return and left behind.

import { CairnError } from './errors.js';

export class Interruptible {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #wake: ((outcome: unknown) => void) | undefined;
  #interrupted: { readonly reason: unknown } | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Makes the current and every later `next` fail with this reason. The first reason stays. */
  interrupt(reason: unknown): void {
    this.#interrupted ??= { reason };
    this.#wake?.(reason);
  }

  /** Undefined at the end of the source. */
  next(): Promise<Uint8Array | undefined> {
    if (this.#interrupted !== undefined) return Promise.reject(this.#interrupted.reason);
    return new Promise((resolve, reject) => {
      this.#wake = reject;
      this.#iterator.next().then((result) => resolve(result.done ? undefined : result.value), reject);
    });
  }

  /** Tells the source that no more will be asked. Never waits for it, never fails. */
  abandon(): void {
    this.#wake = undefined;
    try {
      this.#iterator.return?.()?.then(undefined, () => {});
    } catch {
      // A source that fails at being told to stop has nothing left to tell us.
    }
  }
}

export function refuseWhenCanceled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CairnError('canceled', 'canceled', { cause: signal.reason });
}

/** The source's pieces; `canceled` as soon as the signal is raised, also when the source never answers again. */
export async function* interruptible(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = new Interruptible(source);
  const cancel = () => pieces.interrupt(new CairnError('canceled', 'canceled', { cause: signal?.reason }));
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  try {
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) yield piece;
  } finally {
    signal?.removeEventListener('abort', cancel);
    pieces.abandon();
  }
}
