// Keeps a directory in sync: runs again once its changes have come to rest. Each directory is watched from before it is read,
// so that no change falls between the two. A server that goes away is waited for.

import { type FSWatcher, watch } from 'node:fs';
import { relative } from 'node:path';
import { type Clock, sleep } from '../base/clock.js';
import { CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';

export interface KeepInSyncParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly directory: string;
  readonly isExcluded: ((path: string, isDirectory: boolean) => boolean) | undefined;
  /** Tells a person something. */
  note(message: string): void;
  /** One run; it tells of each directory before it reads it. */
  run(onDirectory: (path: string) => void): Promise<void>;
}

/** Until the signal is raised, or a run fails for another reason than that the server is away. The first must succeed. */
export async function keepInSync(parts: KeepInSyncParts): Promise<void> {
  const { clock, signal, note } = parts;
  const stopped = aborted(signal);
  const watched = new WatchedDirectories(parts, stopped);
  let hasRun = false;
  let pause: number = limits.watchRetryMillisecondsMin;
  try {
    while (!signal.aborted) {
      try {
        watched.beginLook();
        await parts.run((path) => watched.add(path));
        watched.endLook();
        hasRun = true;
        pause = limits.watchRetryMillisecondsMin;
        await watched.nextChange();
      } catch (error) {
        if (!hasRun || !['unavailable', 'timeout'].includes(errorCode(error))) throw error;
        note(`the server is away, trying again: ${error instanceof CairnError ? error.message : ''}`);
        await Promise.race([sleep(clock, pause), stopped]);
        pause = Math.min(2 * pause, limits.watchRetryMillisecondsMax);
      }
    }
  } finally {
    watched.close();
  }
}

/** The watchers of all directories that the last look at the whole has found. */
class WatchedDirectories {
  readonly #watchers = new Map<string, FSWatcher>();
  #seen = new Set<string>();
  #hasChanged = false;
  /** Wakes whoever waits for a change. */
  #wake: (() => void) | undefined;
  #mustPoll = false;

  constructor(
    private readonly parts: KeepInSyncParts,
    private readonly stopped: Promise<void>,
  ) {}

  beginLook(): void {
    this.#seen = new Set();
    // What changes from here on may or may not be seen by this look.
    this.#hasChanged = false;
  }

  endLook(): void {
    for (const path of this.#watchers.keys()) if (!this.#seen.has(path)) this.#drop(path);
  }

  add(path: string): void {
    this.#seen.add(path);
    if (this.#mustPoll || this.#watchers.has(path)) return;
    try {
      const watcher = watch(path, (_, name) => this.#onEvent(path, name));
      // A directory that is gone; its parent tells so, too.
      watcher.on('error', () => this.#drop(path));
      this.#watchers.set(path, watcher);
    } catch (error) {
      // Gone already, or not to be read: the look itself will tell.
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return;
      const seconds = limits.watchPollMilliseconds / 1000;
      this.parts.note(`cannot watch every directory (${String(error)}); looking every ${seconds} s instead`);
      this.#mustPoll = true;
      this.close();
    }
  }

  /** Resolves when something has changed and come to rest, or the signal is raised. */
  async nextChange(): Promise<void> {
    const { clock, signal } = this.parts;
    if (this.#mustPoll) return void (await Promise.race([sleep(clock, limits.watchPollMilliseconds), this.stopped]));
    await Promise.race([this.#change(), this.stopped]);
    const burstEnds = clock.monotonic() + limits.watchBurstMillisecondsMax;
    while (!signal.aborted && clock.monotonic() < burstEnds) {
      this.#hasChanged = false;
      await Promise.race([sleep(clock, limits.watchQuietMilliseconds), this.stopped]);
      if (!this.#hasChanged) return;
    }
  }

  close(): void {
    for (const path of this.#watchers.keys()) this.#drop(path);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#hasChanged) resolve();
    });
  }

  #onEvent(path: string, name: string | null): void {
    if (name !== null && this.#isExcluded(relative(this.parts.directory, `${path}/${name}`))) return;
    this.#hasChanged = true;
    this.#wake?.();
  }

  /** Whatever it is: it may be gone already. */
  #isExcluded(path: string): boolean {
    const { isExcluded } = this.parts;
    // A watched directory may report itself, by its own name.
    if (isExcluded === undefined || path === '' || path.startsWith('../')) return false;
    return isExcluded(path, false) && isExcluded(path, true);
  }

  #drop(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
