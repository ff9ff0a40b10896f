// One run of a checkout: makes the directories, compares what is there, writes what differs, and removes what must go.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { CairnError } from '../base/errors.js';
import { checkItem, type SymlinkItem } from '../tree/tree-item.js';
import type { TreeReader } from '../tree/tree-reader.js';
import { foldsCase } from './case-folding.js';
import { CheckoutWriter } from './checkout-writer.js';
import type { CommandContext } from './command-context.js';
import { compare } from './compare-tree.js';
import type { Examined } from './entry-worker.js';
import { EntryWorkers } from './entry-workers.js';
import { formatPath } from './format.js';
import {
  changeRights,
  isTemporaryName,
  placeSymlink,
  removeTemporary,
  temporaryName,
  unwritable,
} from './place-entry.js';
import type { Progress } from './progress.js';
import { type EntryKind, entryPath, errorName, SafeDirectory } from './safe-directory.js';
import { type Extra, type Place, walkBeside } from './tree-walk.js';

export interface CheckoutSum {
  /** Of the tree: files, links and empty directories; and what its files hold. */
  readonly entries: number;
  readonly bytes: number;
  written: number;
  bytesWritten: number;
  /** Written nothing to but a mode. */
  modesChanged: number;
  unchanged: number;
  /** Not in the tree; a directory with all it holds is one. Removed, or left where they are. */
  removed: number;
  extra: number;
  failed: number;
}

/** Makes the directory what the tree says. What fails alone is reported to the context; rejects with what ends the whole. */
export async function checkoutInto(
  context: CommandContext,
  reader: TreeReader,
  path: string,
  removes: boolean,
): Promise<CheckoutSum> {
  const concurrency = await context.client.recommendedConcurrency();
  const root = openRoot(path);
  const checkout = new Checkout(context, root, concurrency, removes, reader);
  try {
    await checkout.run();
    return checkout.sum;
  } finally {
    await checkout.close();
    SafeDirectory.closeAll();
  }
}

class Checkout {
  readonly sum: CheckoutSum;
  readonly #workers = new EntryWorkers();
  readonly #writer: CheckoutWriter;
  readonly #progress: Progress;

  constructor(
    private readonly context: CommandContext,
    private readonly root: SafeDirectory,
    concurrency: number,
    private readonly removes: boolean,
    private readonly reader: TreeReader,
  ) {
    const { itemCount: entries, fileBytes: bytes } = reader;
    const counts = { written: 0, bytesWritten: 0, modesChanged: 0, unchanged: 0, removed: 0, extra: 0, failed: 0 };
    this.sum = { entries, bytes, ...counts };
    this.#progress = context.startProgress('checkout');
    this.#progress.expect(bytes);
    this.#writer = new CheckoutWriter({
      client: context.client,
      workers: this.#workers,
      concurrency,
      signal: context.signal,
      onPlaced: (item) => {
        this.sum.written++;
        this.sum.bytesWritten += item.digest.size;
        this.#progress.advance(item.digest.size);
      },
      onFailed: ({ path }, error) => {
        this.sum.failed++;
        context.fail(error, { path });
      },
    });
  }

  async run(): Promise<void> {
    const { signal } = this.context;
    const steps = walkBeside(this.reader.items(), {
      root: this.root,
      foldsCase: foldsCase(this.root) ?? probeCase(this.root),
      enter: (parent, name, path, existing) => this.#enter(parent, name, path, existing),
      respell: (directory, from, to) => renameSync(entryPath(directory.path, from), entryPath(directory.path, to)),
      fail: (path, error) => this.context.fail(error, { path }),
    });
    for await (const bundle of compare(steps, this.#workers, signal)) {
      for (const step of bundle) {
        if (step === 'pause') await this.#writer.flush();
        else if ('extra' in step) this.#settleExtra(step.extra);
        else await this.#settle(step.place, step.found);
      }
    }
    await this.#writer.flush();
  }

  /** Lets files under way be finished or given up, so that none stays under its temporary name. */
  async close(): Promise<void> {
    await this.#writer.flush().catch(() => {});
    this.#progress.stop();
    await this.#workers.close();
  }

  #enter(
    parent: SafeDirectory,
    name: string,
    path: string,
    existing: EntryKind | undefined,
  ): SafeDirectory | undefined {
    try {
      if (existing === 'directory') return parent.openChildByForce(name);
      parent.makeWritable();
      if (existing !== undefined) parent.remove(name);
      return parent.makeChild(name);
    } catch (error) {
      this.#reject(path, error);
      return undefined;
    }
  }

  async #settle({ item, name, directory }: Place, found: Examined): Promise<void> {
    if (directory === undefined) {
      this.sum.failed++;
      return;
    }
    const differences = 'failure' in found ? (['content'] as const) : found;
    if (item.kind === 'directory') {
      // It was made when it was entered.
      this.sum[differences.length === 0 ? 'unchanged' : 'written']++;
    } else if (differences.length === 0) {
      this.sum.unchanged++;
      if (item.kind === 'file') this.#progress.advance(item.digest.size);
    } else if (item.kind === 'symlink') {
      this.#placeSymlink(item, name, directory);
    } else if (differences.length === 1 && differences[0] === 'mode' && changeRights(directory.path, name, item)) {
      this.sum.modesChanged++;
      this.#progress.advance(item.digest.size);
    } else {
      await this.#writer.add({ item, name, directory });
      return;
    }
    directory.release();
  }

  #placeSymlink(item: SymlinkItem, name: string, directory: SafeDirectory): void {
    try {
      // Once more here, where it becomes real: a link that leads out must never be made.
      checkItem(item);
      directory.makeWritable();
      placeSymlink(directory.path, name, item.target);
      this.sum.written++;
    } catch (error) {
      this.sum.failed++;
      this.#reject(item.path, error);
    }
  }

  #settleExtra({ directory, name, path, kind }: Extra): void {
    const isLeftover = typeof name === 'string' && isTemporaryName(name) && kind !== 'directory';
    try {
      if (isLeftover || this.removes) {
        directory.makeWritable();
        directory.remove(name);
      }
      if (!isLeftover) this.sum[this.removes ? 'removed' : 'extra']++;
    } catch (error) {
      if (!isLeftover) this.sum.extra++;
      this.#reject(path, error);
    } finally {
      directory.release();
    }
  }

  /** Reports what could not be written, or throws when it concerns everything. */
  #reject(path: string, error: unknown): void {
    const failure = unwritable(formatPath(path), error);
    if (failure.code === 'no_space') throw failure;
    this.context.fail(failure, { path });
  }
}

function openRoot(path: string): SafeDirectory {
  try {
    mkdirSync(path, { recursive: true });
    return SafeDirectory.open(path);
  } catch (error) {
    if (errorName(error) === 'EEXIST' || errorName(error) === 'ENOTDIR') {
      throw new CairnError('failed_precondition', `${path} is no directory`, { cause: error });
    }
    throw unwritable(path, error);
  }
}

/** Tried with a file of its own where nothing lies there to try it on. */
function probeCase(root: SafeDirectory): boolean {
  const name = temporaryName();
  try {
    root.makeWritable();
    writeFileSync(entryPath(root.path, name), '', { flag: 'wx' });
    return foldsCase(root) ?? false;
  } catch (error) {
    throw unwritable('the directory', error);
  } finally {
    removeTemporary(root.path, name);
  }
}
