// Blobs in files of their own. A file is written under `temp/`, made durable, and renamed to
// `large/<2 hex>/<64 hex>-<8 hex>`; the last part tells copies of one hash apart, so that a blob deleted while somebody
// reads it and stored again meanwhile never meets its former self. The file holds the blob's bytes and nothing else.
// Only a record in the log makes a file count: one without is left over from a crash, and swept.

import { dirname, join } from 'node:path';
import { type BlobHash, type Digest, hashHex, parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { FileSystem, OpenFile } from '../log/file-system.js';
import { TemporaryFiles } from './temporary-files.js';

const directoryName = /^[0-9a-f]{2}$/;
const fileName = /^([0-9a-f]{64})-([0-9a-f]{8})$/;

export interface LargeFileName {
  readonly hash: BlobHash;
  /** Tells this copy from others of the same hash. */
  readonly file: number;
}

function directoryOf(root: string, hex: string): string {
  return join(root, hex.slice(0, 2));
}

function pathOf(root: string, { hash, file }: LargeFileName): string {
  const hex = hashHex(hash);
  return join(directoryOf(root, hex), `${hex}-${file.toString(16).padStart(8, '0')}`);
}

async function openForReading(fs: FileSystem, path: string, digest: Digest): Promise<OpenFile> {
  const file = await fs.open(path, 'read');
  if (file === undefined) throw new CairnError('corrupt', `${path} is missing`);
  try {
    const size = await file.size();
    if (size !== digest.size) throw new CairnError('corrupt', `${path} has ${size} bytes instead of ${digest.size}`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** For a thread that reads beside the store's own: the file may be unlinked while it is open. */
export function openSharedLargeFile(
  fs: FileSystem,
  storeDirectory: string,
  name: LargeFileName,
  digest: Digest,
): Promise<OpenFile> {
  return openForReading(fs, pathOf(join(storeDirectory, 'large'), name), digest);
}

export class LargeFiles {
  readonly temporary: TemporaryFiles;
  readonly #fs: FileSystem;
  readonly #random: Random;
  readonly #root: string;
  /** Open handles by path. */
  readonly #readers = new Map<string, number>();
  /** Paths to unlink when their last reader closes. */
  readonly #condemned = new Set<string>();
  readonly #madeDirectories = new Set<string>();
  #hasLeftovers = false;
  /** Directories with removals that a power failure may still undo. */
  readonly #removedFrom = new Set<string>();

  private constructor(fs: FileSystem, random: Random, directory: string) {
    this.#fs = fs;
    this.#random = random;
    this.#root = join(directory, 'large');
    this.temporary = new TemporaryFiles(fs, random, directory);
  }

  /** Removes what unfinished writes of an earlier run left under `temp/`. */
  static async open(fs: FileSystem, random: Random, directory: string): Promise<LargeFiles> {
    const files = new LargeFiles(fs, random, directory);
    await files.temporary.empty();
    return files;
  }

  pathOf(name: LargeFileName): string {
    return pathOf(this.#root, name);
  }

  #directoryOf(hex: string): string {
    return directoryOf(this.#root, hex);
  }

  /** Moves a temporary file, synced by the caller if that is promised, to its place; closes it. */
  async adopt(temporary: OpenFile, hash: BlobHash): Promise<LargeFileName> {
    const name = { hash, file: new DataView(this.#random.bytes(4).buffer).getUint32(0, true) };
    const directory = this.#directoryOf(hashHex(hash));
    if (!this.#madeDirectories.has(directory)) {
      await this.#fs.makeDirectory(directory);
      this.#madeDirectories.add(directory);
    }
    await temporary.close();
    await this.#fs.rename(temporary.path, this.pathOf(name));
    return name;
  }

  syncDirectory(hash: BlobHash): Promise<void> {
    return this.#fs.syncDirectory(this.#directoryOf(hashHex(hash)));
  }

  /** Makes a file durable that was adopted without being synced. */
  async sync(name: LargeFileName): Promise<void> {
    const file = await this.#fs.open(this.pathOf(name), 'write');
    if (file === undefined) return;
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await this.syncDirectory(name.hash);
  }

  /** Opens a file for reading; it is not unlinked before `release`. `corrupt` when it is gone or has another size. */
  async acquire(name: LargeFileName, digest: Digest): Promise<OpenFile> {
    const path = this.pathOf(name);
    this.#readers.set(path, (this.#readers.get(path) ?? 0) + 1);
    try {
      return await openForReading(this.#fs, path, digest);
    } catch (error) {
      await this.#forgetReader(path);
      throw error;
    }
  }

  async release(file: OpenFile): Promise<void> {
    try {
      await file.close();
    } finally {
      await this.#forgetReader(file.path);
    }
  }

  async #forgetReader(path: string): Promise<void> {
    const left = this.#readers.get(path)! - 1;
    if (left > 0) {
      this.#readers.set(path, left);
      return;
    }
    this.#readers.delete(path);
    // Left behind, it is swept one day; whoever has read it is not concerned.
    if (this.#condemned.delete(path)) await this.#remove(path).catch(() => {});
  }

  async #remove(path: string): Promise<void> {
    this.#removedFrom.add(dirname(path));
    try {
      await this.#fs.remove(path);
    } catch (error) {
      this.leaveBehind();
      throw error;
    }
  }

  /** There may be a file without a record, for the next opening to sweep. */
  leaveBehind(): void {
    this.#hasLeftovers = true;
  }

  /** Those among them that wait for a reader, who may outlive the process's interest in them. */
  get hasLeftovers(): boolean {
    return this.#hasLeftovers || this.#condemned.size > 0;
  }

  /** Makes removals durable. */
  async syncRemovals(): Promise<void> {
    for (const directory of [...this.#removedFrom]) {
      await this.#fs.syncDirectory(directory);
      this.#removedFrom.delete(directory);
    }
  }

  /** Unlinks a file now, or when its last reader is done. */
  async condemn(name: LargeFileName): Promise<void> {
    const path = this.pathOf(name);
    if (this.#readers.has(path)) this.#condemned.add(path);
    else await this.#remove(path);
  }

  /**
   * Removes what no record refers to; for the time after an unclean stop, before anything is written. `survivor` is given
   * all files of one hash and answers which of them a record refers to, if any; all of them where that cannot be told.
   * Answers how many were removed.
   */
  async sweep(survivor: (copies: readonly LargeFileName[]) => Promise<number | 'all' | undefined>): Promise<number> {
    let removed = 0;
    for (const prefix of await this.#fs.list(this.#root)) {
      if (!directoryName.test(prefix)) continue;
      // A process that was killed may have removed files that a power failure would still bring back.
      this.#removedFrom.add(join(this.#root, prefix));
      const byHash = groupByHash(await this.#namesIn(prefix));
      for (const copies of byHash.values()) {
        const kept = await survivor(copies);
        for (const name of copies) {
          if (kept === 'all' || name.file === kept) continue;
          await this.condemn(name);
          removed++;
        }
      }
    }
    return removed;
  }

  async #namesIn(prefix: string): Promise<LargeFileName[]> {
    const names: LargeFileName[] = [];
    for (const entry of await this.#fs.list(join(this.#root, prefix))) {
      const parts = fileName.exec(entry);
      if (parts !== null) names.push({ hash: parseHash(parts[1]!), file: Number.parseInt(parts[2]!, 16) });
    }
    return names;
  }
}

function groupByHash(names: readonly LargeFileName[]): Map<string, LargeFileName[]> {
  const groups = new Map<string, LargeFileName[]>();
  for (const name of names) {
    const hex = hashHex(name.hash);
    const group = groups.get(hex);
    if (group === undefined) groups.set(hex, [name]);
    else group.push(name);
  }
  return groups;
}
