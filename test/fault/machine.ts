// A store running on a disk that can be crashed, with its maintenance in the test's hands.

import { join } from 'node:path';
import type { Durability } from '../../src/base/blob-store.js';
import type { Clock } from '../../src/base/clock.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { openLocalStore } from '../../src/cas/open-local-store.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { type SeededRandom, seededRandom } from '../support/random.js';
import { IndexDisk } from './index-disk.js';
import { loiter, type ProcessFileSystem, slowFileSystem } from './slow-file-system.js';

const directory = '/data';
/** Little more than the header of a segment and a few small blobs, so that segments are full soon. */
const segmentBytesTarget = 12_000;

/** Room for no row at all, for about a hundred, and for any number. */
const indexMemories = [0, 8000, 2 ** 30];

export interface Disk {
  readonly fs: FaultFileSystem;
  readonly index: IndexDisk;
}

export function emptyDisk(seed: number): Disk {
  return { fs: new FaultFileSystem(seed), index: new IndexDisk() };
}

/** What the machine finds when it stops now and starts again. */
export function crashDisk({ fs, index }: Disk, seed: number): Disk {
  return { fs: fs.crash(seed), index: index.crash(seededRandom(seed)) };
}

export interface Report {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a machine did before it stood still, for `withinAMinute`. */
export const lastOn =
  ({ fs }: Disk, label: string) =>
  () =>
    `${label}; last on the disk, after ${fs.operations} operations: ${fs.lastOperations.join(', ')}`;

export class Machine {
  readonly reports: Report[] = [];
  readonly clock = new ManualClock();

  #store: LocalStore | undefined;

  private constructor(
    readonly disk: Disk,
    readonly durability: Durability,
    readonly fs: ProcessFileSystem,
  ) {}

  static async start(disk: Disk, durability: Durability, random: SeededRandom): Promise<Machine> {
    const machine = new Machine(disk, durability, slowFileSystem(disk.fs, random));
    disk.index.linger = () => loiter(random);
    machine.#store = await openLocalStore({
      directory,
      fs: machine.fs,
      index: disk.index.home(),
      durability,
      segmentBytesTarget,
      indexMemoryBytes: random.pick(indexMemories),
      tableSaveChangesMin: random.pick([1, 5, 1000]),
      maintenanceIntervalMilliseconds,
      clock: machine.clock,
      random,
      report: (level, message, details) => machine.reports.push({ level, message, details }),
    });
    return machine;
  }

  get store(): LocalStore {
    return this.#store!;
  }

  /** Ends the process where it is. The system goes on: what was written is there, durable or not. */
  async kill(): Promise<void> {
    this.disk.index.kill();
    await this.fs.kill();
  }

  /** Names of the files under a directory of the store. */
  filesIn(folder: string): string[] {
    const prefix = `${join(directory, folder)}/`;
    return this.disk.fs.paths().flatMap((path) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : []));
  }
}

/** Of maintenance, and of nothing else. */
const maintenanceIntervalMilliseconds = 1;

/** Time stands still. Maintenance is called by `runNext`; others, who wait longer, never are. */
class ManualClock implements Clock {
  #next: (() => void) | undefined;
  #onWait: (() => void) | undefined;

  now(): number {
    return 0;
  }

  monotonic(): number {
    return 0;
  }

  after(milliseconds: number, callback: () => void): () => void {
    if (milliseconds > maintenanceIntervalMilliseconds) return () => {};
    this.#next = callback;
    this.#onWait?.();
    return () => {
      this.#next = undefined;
    };
  }

  /** Calls maintenance, and resolves when it waits again. At once, and with false, when it does not wait. */
  async runNext(): Promise<boolean> {
    const next = this.#next;
    if (next === undefined) return false;
    this.#next = undefined;
    const waits = new Promise<void>((resolve) => {
      this.#onWait = resolve;
    });
    next();
    await waits;
    return true;
  }
}
