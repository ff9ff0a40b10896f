// One run of a sync: what a directory holds becomes a tree on the server. What is known stays unread, what the server has
// stays unsent. Files go before the tree's nodes and those before the root, so that a tree that is there is whole.
//
// A run that remembers a tree first asks the server whether it has all of that: one call, during the walk. If so, nothing
// that was remembered and did not change needs to be asked for again; if not, everything is.

import type { BlobSource } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import { type BlobHash, type Digest, digestKey, hashesEqual } from '../base/digest.js';
import { CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { CairnClient } from '../client/cairn-client.js';
import type { PutItem, PutOutcome, PutPack } from '../client/put-many.js';
import { checkItem, type FileItem, type TreeItem } from '../tree/tree-item.js';
import { fileChunks, unreadable } from './file-chunks.js';
import { FileMemory, type MemoryEntry, writeMemory } from './file-memory.js';
import { type FileStats, lookAt } from './file-stats.js';
import { readSmallFile } from './small-file.js';
import type { FileToRead, SyncReader } from './sync-reader.js';
import { type WalkedEntry, type WalkOptions, walk } from './walk.js';

export interface SyncParts {
  readonly client: CairnClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly reader: SyncReader;
  /** The real path of the directory. */
  readonly directory: string;
  /** Where the memory of unchanged files lies; undefined for none. */
  readonly memory: string | undefined;
  readonly isExcluded: WalkOptions['isExcluded'];
  readonly onDirectory?: WalkOptions['onDirectory'];
  /** Something that was left out of the tree. */
  onProblem(path: string, error: CairnError): void;
  onWarning(path: string, message: string): void;
  /** So many bytes more are to be read and perhaps sent, or have been. */
  expect(bytes: number): void;
  advance(bytes: number): void;
}

export interface SyncResult {
  readonly tree: BlobHash;
  /** Regular files in the tree, and the sum of their sizes. */
  readonly files: number;
  readonly bytes: number;
  readonly symlinks: number;
  readonly emptyDirectories: number;
  /** Entries that were left out. */
  readonly problems: number;
  /** Files that were read; of the others the digest was remembered. */
  readonly filesRead: number;
  /** Different blobs that the server lacked, nodes of the tree among them, and what of them was sent. */
  readonly blobsMissing: number;
  readonly blobsUploaded: number;
  readonly bytesUploaded: number;
}

export function syncDirectory(parts: SyncParts): Promise<SyncResult> {
  return new SyncRun(parts).run();
}

/** An entry's place in the tree to be. Without an item it is left out. */
interface Slot extends FileToRead {
  item: TreeItem | undefined;
  stats: FileStats | undefined;
  /** What was remembered of the path: its index. */
  readonly before: number | undefined;
}

interface SlotItem extends PutItem {
  readonly slot: Slot | undefined;
}

interface SlotPack extends PutPack {
  readonly slots: readonly Slot[];
}

/** Time the walk may take before the connection and a Ctrl-C get their turn. */
const turnMilliseconds = 10;
const entriesBetweenLooksAtClock = 64;

class SyncRun {
  readonly #startedAt: number;
  readonly #memory: FileMemory | undefined;
  /** In order of path; what is as it was remembered by its index alone. */
  readonly #slots: (Slot | number)[] = [];
  /** Files that were not what they had been when they were hashed. */
  #changed: Slot[] = [];
  readonly #missing = new Set<string>();
  #problems = 0;
  #filesRead = 0;
  #blobsUploaded = 0;
  #bytesUploaded = 0;
  #lastRound = false;
  /** Why the server could not be asked for the remembered tree. Ends the walk, which would be in vain. */
  #failure: { readonly error: unknown } | undefined;

  constructor(private readonly parts: SyncParts) {
    this.#startedAt = parts.clock.now();
    this.#memory = parts.memory === undefined ? undefined : FileMemory.read(parts.memory, parts.directory);
  }

  async run(): Promise<SyncResult> {
    const check = this.#checkRemembered();
    check.catch((error: unknown) => {
      this.#failure = { error };
    });
    try {
      await this.#put(this.#readItems(this.#walk()));
      const hasRemembered = await check;
      if (!hasRemembered) await this.#put(this.#rememberedItems());
      await this.#putChanged();
      const remembered = hasRemembered && this.#isRemembered() ? this.#memory?.tree : undefined;
      const tree = remembered ?? (await this.#putTree());
      this.#remember(tree);
      return this.#result(tree);
    } catch (error) {
      // What was read so far need not be read again, whatever came in between.
      this.#remember(undefined);
      throw error;
    }
  }

  /** Does the server have all of the tree that the memory is of? */
  async #checkRemembered(): Promise<boolean> {
    const tree = this.#memory?.tree;
    if (tree === undefined) return false;
    try {
      return (await this.parts.client.checkTree(tree, { signal: this.parts.signal })).complete;
    } catch (error) {
      // The root is gone, or is no tree any more, or the server knows nothing of trees.
      if (['not_found', 'invalid_argument', 'unimplemented'].includes(errorCode(error))) return false;
      throw error;
    }
  }

  /** Takes in what the directory holds; answers the files that must be read, in runs. */
  async *#walk(): AsyncGenerator<readonly Slot[]> {
    const { directory, clock, signal, isExcluded, onDirectory, onWarning } = this.parts;
    const onProblem = (path: string, error: CairnError) => this.#problem(path, error);
    let turnEnds = clock.monotonic() + turnMilliseconds;
    let lookedAt = 0;
    let found: Slot[] = [];
    for (const entry of walk(directory, { isExcluded, onDirectory, onProblem, onWarning })) {
      const slot = this.#takeIn(entry);
      if (slot !== undefined) found.push(slot);
      if (++lookedAt % entriesBetweenLooksAtClock !== 0) continue;
      if (found.length > 0) yield found;
      found = [];
      if (clock.monotonic() < turnEnds) continue;
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) throw new CairnError('canceled', 'canceled');
      if (this.#failure !== undefined) throw this.#failure.error;
      turnEnds = clock.monotonic() + turnMilliseconds;
    }
    yield found;
  }

  /** The entry as one that must be read, if it is. */
  #takeIn(entry: WalkedEntry): Slot | undefined {
    const { path } = entry;
    const before = this.#memory?.find(path);
    const absolute = `${this.parts.directory}/${path}`;
    if (before !== undefined && this.#isUnchanged(before, entry, absolute)) {
      this.#slots.push(before);
      return undefined;
    }
    const isFile = entry.kind === 'file';
    if (!this.#isAllowed(isFile ? { kind: 'directory', path } : entry)) return undefined;
    const slot: Slot = { path, absolute, item: isFile ? undefined : entry, stats: undefined, before };
    this.#slots.push(slot);
    return isFile ? slot : undefined;
  }

  #isUnchanged(before: number, entry: WalkedEntry, absolute: string): boolean {
    if (!this.#memory!.isUnchanged(before, entry)) return false;
    if (entry.kind !== 'file') return true;
    try {
      return this.#memory!.isSameFile(before, lookAt(absolute));
    } catch {
      // Whoever reads it will say why.
      return false;
    }
  }

  #isAllowed(item: TreeItem): boolean {
    try {
      checkItem(item);
      return true;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      this.#problem(item.path, error);
      return false;
    }
  }

  async *#readItems(
    runs: Iterable<readonly Slot[]> | AsyncIterable<readonly Slot[]>,
  ): AsyncGenerator<SlotItem | SlotPack> {
    const { reader, signal } = this.parts;
    for await (const { outcomes, frame } of reader.read(runs, signal)) {
      const slots: Slot[] = [];
      const digests: Digest[] = [];
      for (const outcome of outcomes) {
        const slot = outcome.file;
        if (outcome.error !== undefined) {
          this.#leaveOut(slot, outcome.error);
          continue;
        }
        const { digest, stats, isPacked } = outcome;
        this.#filesRead++;
        this.parts.expect(digest.size);
        const { executable, readonly } = stats;
        slot.item = { kind: 'file', path: slot.path, digest, executable, readonly };
        slot.stats = stats;
        if (isPacked) {
          slots.push(slot);
          digests.push(digest);
        } else yield putItem(slot, digest);
      }
      if (slots.length > 0) yield { slots, pack: { digests, frame } };
    }
  }

  /** Files that were remembered and not read, now with places of their own: each may yet turn out to have changed. */
  *#rememberedItems(): Generator<SlotItem> {
    for (const [i, index] of this.#slots.entries()) {
      if (typeof index !== 'number' || !this.#memory!.isFile(index)) continue;
      const { item, stats } = this.#memory!.entry(index);
      const { path } = item;
      const absolute = `${this.parts.directory}/${path}`;
      const slot: Slot = { path, absolute, item, stats, before: index };
      this.#slots[i] = slot;
      yield putItem(slot, (item as FileItem).digest);
    }
  }

  async #put(items: Iterable<SlotItem | SlotPack> | AsyncIterable<SlotItem | SlotPack>): Promise<void> {
    const { client, signal, advance } = this.parts;
    const { uploadedCount, uploadedBytes } = await client.putMany<SlotItem, SlotPack>(items, {
      signal,
      onMissing: (digest) => this.#missing.add(digestKey(digest)),
      onOutcome: ({ slot, digest }, outcome) => this.#settle(slot, digest, outcome),
      onPackOutcome: ({ slots, pack }, index, outcome) => this.#settle(slots[index], pack.digests[index]!, outcome),
      onPackEnd: ({ pack }) => this.parts.reader.recycle(pack.frame),
      onSent: advance,
    });
    this.#blobsUploaded += uploadedCount;
    this.#bytesUploaded += uploadedBytes;
  }

  #settle(slot: Slot | undefined, digest: Digest, outcome: PutOutcome): void {
    if (outcome.status === 'present') this.parts.advance(digest.size);
    if (outcome.status !== 'failed') return;
    // Without a node there is no tree.
    if (slot === undefined) throw outcome.error;
    const { error } = outcome;
    if (error.code !== 'digest_mismatch') this.#leaveOut(slot, error);
    else if (this.#lastRound) this.#leaveOut(slot, unreadable(slot.path, 'it keeps changing while it is read'));
    else this.#changed.push(slot);
  }

  async #putChanged(): Promise<void> {
    for (let round = 1; this.#changed.length > 0; round++) {
      const changed = this.#changed;
      this.#changed = [];
      this.#lastRound = round === limits.syncRoundsCountMax;
      await this.#put(this.#readItems([changed]));
    }
  }

  /** What is in the tree, in order. */
  *#entries(): Generator<MemoryEntry> {
    for (const slot of this.#slots) {
      if (typeof slot === 'number') yield this.#memory!.entry(slot);
      else if (slot.item !== undefined) yield { item: slot.item, stats: slot.stats };
    }
  }

  *#items(): Generator<TreeItem> {
    for (const { item } of this.#entries()) yield item;
  }

  /** Whether the directory holds exactly what is remembered. */
  #isRemembered(): boolean {
    let count = 0;
    for (const slot of this.#slots) {
      if (typeof slot !== 'number') {
        if (slot.item === undefined) continue;
        if (slot.before === undefined || !isSameItem(slot.item, this.#memory!.entry(slot.before).item)) return false;
      }
      count++;
    }
    return count === this.#memory!.count;
  }

  async #putTree(): Promise<BlobHash> {
    // Loaded here: most runs find the tree that they remember.
    const { buildTree } = await import('../tree/build-tree.js');
    const nodes: SlotItem[] = [];
    const { digest: root } = await buildTree(this.#items(), (digest, bytes) => {
      nodes.push({ slot: undefined, digest, open: () => bytes });
    });
    const last = nodes.pop()!;
    await this.#put(nodes);
    await this.#put([last]);
    return root.hash;
  }

  #remember(tree: BlobHash | undefined): void {
    const { memory, directory, onWarning } = this.parts;
    const isNews = this.#filesRead > 0 || (tree !== undefined && !isSameTree(tree, this.#memory?.tree));
    if (memory === undefined || !isNews) return;
    const entries = [...this.#entries()];
    // A whole run has seen that what comes after the last path is gone.
    if (tree === undefined && this.#memory !== undefined)
      for (const index of this.#memory.rest()) entries.push(this.#memory.entry(index));
    try {
      writeMemory(memory, { directory, startedAt: this.#startedAt, tree, entries });
    } catch (error) {
      onWarning(memory, `cannot remember which files are unchanged: ${String(error)}`);
    }
  }

  #result(tree: BlobHash): SyncResult {
    let [files, bytes, symlinks, emptyDirectories] = [0, 0, 0, 0];
    for (const slot of this.#slots) {
      const isRemembered = typeof slot === 'number';
      if (!isRemembered && slot.item === undefined) continue;
      if (isRemembered ? this.#memory!.isFile(slot) : slot.item!.kind === 'file') {
        files++;
        bytes += isRemembered ? this.#memory!.sizeOf(slot) : (slot.item as FileItem).digest.size;
      } else if (isRemembered ? this.#memory!.isSymlink(slot) : slot.item!.kind === 'symlink') symlinks++;
      else emptyDirectories++;
    }
    return {
      tree,
      files,
      bytes,
      symlinks,
      emptyDirectories,
      problems: this.#problems,
      filesRead: this.#filesRead,
      blobsMissing: this.#missing.size,
      blobsUploaded: this.#blobsUploaded,
      bytesUploaded: this.#bytesUploaded,
    };
  }

  #leaveOut(slot: Slot, error: CairnError): void {
    slot.item = undefined;
    this.#problem(slot.path, error);
  }

  #problem(path: string, error: CairnError): void {
    this.#problems++;
    this.parts.onProblem(path, error);
  }
}

function putItem(slot: Slot, digest: Digest): SlotItem {
  return { slot, digest, open: () => openFile(slot, digest) };
}

function openFile({ absolute, path }: Slot, digest: Digest): BlobSource {
  if (digest.size > limits.batchedBlobBytesMax) return fileChunks(absolute);
  try {
    return readSmallFile(absolute, limits.batchedBlobBytesMax);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function isSameTree(a: BlobHash, b: BlobHash | undefined): boolean {
  return b !== undefined && hashesEqual(a, b);
}

function isSameItem(a: TreeItem, b: TreeItem | undefined): boolean {
  if (a === b) return true;
  if (a.kind === 'file') {
    if (b?.kind !== 'file' || a.executable !== b.executable || a.readonly !== b.readonly) return false;
    return a.digest.size === b.digest.size && hashesEqual(a.digest.hash, b.digest.hash);
  }
  if (a.kind === 'symlink') return b?.kind === 'symlink' && a.target === b.target;
  return b?.kind === a.kind;
}
