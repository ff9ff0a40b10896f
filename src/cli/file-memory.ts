// What a directory held when it was last looked at, so that files which did not change need not be read again. A file of the
// user's cache, one for each directory; losing it costs time alone. It is written whole under another name and renamed. What
// is damaged, of another version, another machine's byte order or another directory counts as nothing.
//
// Bytes: header (see `Header`), then for n entries sizes, mtimes, ctimes, inodes, devices (8 bytes each), hashes (32), flags
// (1), then text: the directory, paths and link targets, each ended by NUL. Numbers are in the machine's byte order.

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { concatBytes } from '../base/bytes.js';
import { type BlobHash, hashesEqual, hashHex, hashLength, toDigest, toHash } from '../base/digest.js';
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { systemRandom, uniqueName } from '../base/random.js';
import { hashBytes } from '../blake3/hasher.js';
import { comparePaths, type TreeItem } from '../tree/tree-item.js';
import type { FileStats } from './file-stats.js';
import type { WalkedEntry } from './walk.js';

export interface MemoryEntry {
  readonly item: TreeItem;
  /** Undefined for what is no file, and for a file that may have changed since without showing it. */
  readonly stats: FileStats | undefined;
}

export interface NewMemory {
  /** The real path of the directory. */
  readonly directory: string;
  /** When the run began that read the files; milliseconds since the epoch. */
  readonly startedAt: number;
  /** The tree that these entries make; undefined when they are not all of one tree. */
  readonly tree: BlobHash | undefined;
  /** In order of path. */
  readonly entries: readonly MemoryEntry[];
}

const magic = new TextEncoder().encode('CAIRNMEM');
const version = 2;
const byteOrderMark = 0x01020304;
const headerBytes = 128;
/** In the header: magic 8, version u32, byte order u32, checksum 32 of all that follows, count f64, has tree f64, tree 32. */
const checksumAt = 16;
const bodyAt = checksumAt + 32;
const countAt = bodyAt;
const treeAt = bodyAt + 16;

const flags = { file: 1, symlink: 2, directory: 3, kind: 3, executable: 4, readonly: 8, trusted: 16 } as const;

/** Where the memory of a directory lies, by its real path. */
export function memoryPath(directory: string, env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CACHE_HOME: home } = env;
  const cache = home !== undefined && isAbsolute(home) ? home : join(homedir(), '.cache');
  return join(cache, 'cairn', 'sync', `${hashHex(hashBytes(new TextEncoder().encode(directory)))}.memory`);
}

/**
 * Whether a file that looks as it did has the bytes it had. Times are ticks of a coarse clock: a file that is read and then
 * written in the tick of its last change looks the same. So its last change must be well before the run that read it.
 */
function isSettled({ mtime, ctime }: FileStats, startedAt: number): boolean {
  // Whole seconds alone: a file system that knows no finer, or only every other second.
  const granularity = ctime % 1000 === 0 ? 2000 : limits.fileTimeGranularityMilliseconds;
  return Math.max(mtime, ctime) < startedAt - granularity;
}

/** Made when somebody wants one: most runs only compare paths, one after the other. */
interface Texts {
  /** In order. */
  readonly paths: readonly string[];
  /** Where links lead, by their index. */
  readonly targets: ReadonlyMap<number, string>;
}

/**
 * Entries are known by their index, and objects are made of them only when somebody wants one: most runs find everything
 * unchanged, and hundreds of thousands of objects would cost them more than the looking.
 */
export class FileMemory {
  #made: Texts | undefined;
  /** The entry that `find` comes to next, and where its path begins in the text. */
  #next = 0;
  #nextAt: number;

  private constructor(
    private readonly columns: Columns,
    /** The directory, paths and targets, each ended by NUL. */
    private readonly text: string,
    /** The tree that all entries together make, if they do. */
    readonly tree: BlobHash | undefined,
  ) {
    this.#nextAt = text.indexOf('\0') + 1;
  }

  get #texts(): Texts {
    this.#made ??= this.#makeTexts();
    return this.#made;
  }

  #makeTexts(): Texts {
    const { count, marks } = this.columns;
    const texts = this.text.split('\0');
    const targets = new Map<number, string>();
    for (let i = 0; i < count; i++) {
      if ((marks[i]! & flags.kind) === flags.symlink) targets.set(i, texts[count + 1 + targets.size]!);
    }
    return { paths: texts.slice(1, count + 1), targets };
  }

  /** Undefined when there is none that can be used. */
  static read(file: string, directory: string): FileMemory | undefined {
    let bytes: Uint8Array;
    try {
      if (statSync(file).size > limits.memoryFileBytesMax) return undefined;
      const read = readFileSync(file);
      // The columns need an aligned start. What is as large as a memory usually is has memory of its own.
      bytes = read.byteOffset === 0 ? new Uint8Array(read.buffer, 0, read.length) : new Uint8Array(read);
    } catch {
      return undefined;
    }
    if (bytes.length < headerBytes || magic.some((byte, i) => bytes[i] !== byte)) return undefined;
    const [fileVersion, byteOrder] = new Uint32Array(bytes.buffer, magic.length, 2);
    if (fileVersion !== version || byteOrder !== byteOrderMark) return undefined;
    if (!hashesEqual(hashBytes(bytes.subarray(bodyAt)), bytes.subarray(checksumAt, bodyAt))) return undefined;
    const [count, hasTree] = new Float64Array(bytes.buffer, countAt, 2);
    const columns = columnsOf(bytes, count!);
    const text = new TextDecoder().decode(bytes.subarray(columns.end));
    if (!text.startsWith(`${directory}\0`)) return undefined;
    const tree = hasTree === 1 ? toHash(bytes.slice(treeAt, treeAt + 32)) : undefined;
    return new FileMemory(columns, text, tree);
  }

  get count(): number {
    return this.columns.count;
  }

  /** The index of a path, if it is known. To be asked in order of path; what lies before is passed over. */
  find(path: string): number | undefined {
    while (this.#next < this.count) {
      const end = this.#nextAt + path.length;
      const isKnown = this.text.startsWith(path, this.#nextAt) && this.text.charCodeAt(end) === 0;
      const knownEnd = isKnown ? end : this.text.indexOf('\0', this.#nextAt);
      if (!isKnown && comparePaths(this.text.slice(this.#nextAt, knownEnd), path) > 0) return undefined;
      this.#nextAt = knownEnd + 1;
      this.#next++;
      if (isKnown) return this.#next - 1;
    }
    return undefined;
  }

  /** Indices from the first that comes after the last path asked for. */
  *rest(): Generator<number> {
    while (this.#next < this.count) yield this.#next++;
  }

  /** Whether an entry of the same path is the one remembered, so far as can be seen. For a file, `isSameFile` goes on. */
  isUnchanged(index: number, walked: WalkedEntry): boolean {
    if ((this.columns.marks[index]! & flags.kind) !== flags[walked.kind]) return false;
    return walked.kind !== 'symlink' || this.#texts.targets.get(index) === walked.target;
  }

  /** Whether a file that looks like this may be taken for the one remembered. */
  isSameFile(index: number, stats: FileStats): boolean {
    const { marks, sizes, mtimes, ctimes, inodes, devices } = this.columns;
    const mark = marks[index]!;
    return (
      mark === (markOf(stats) | flags.trusted) &&
      sizes[index] === stats.size &&
      mtimes[index] === stats.mtime &&
      ctimes[index] === stats.ctime &&
      inodes[index] === stats.inode &&
      devices[index] === stats.device
    );
  }

  isFile(index: number): boolean {
    return (this.columns.marks[index]! & flags.kind) === flags.file;
  }

  isSymlink(index: number): boolean {
    return (this.columns.marks[index]! & flags.kind) === flags.symlink;
  }

  /** Of a file. */
  sizeOf(index: number): number {
    return this.columns.sizes[index]!;
  }

  entry(index: number): MemoryEntry {
    const { sizes, mtimes, ctimes, inodes, devices, hashes, marks } = this.columns;
    const { paths, targets } = this.#texts;
    const path = paths[index]!;
    const mark = marks[index]!;
    const kind = mark & flags.kind;
    if (kind === flags.symlink) {
      return { item: { kind: 'symlink', path, target: targets.get(index)! }, stats: undefined };
    }
    if (kind === flags.directory) return { item: { kind: 'directory', path }, stats: undefined };
    const size = sizes[index]!;
    const executable = (mark & flags.executable) !== 0;
    const readonly = (mark & flags.readonly) !== 0;
    const digest = toDigest(toHash(hashes.subarray(hashLength * index, hashLength * (index + 1))), size);
    const item: TreeItem = { kind: 'file', path, digest, executable, readonly };
    if ((mark & flags.trusted) === 0) return { item, stats: undefined };
    const times = { mtime: mtimes[index]!, ctime: ctimes[index]! };
    const place = { inode: inodes[index]!, device: devices[index]! };
    return { item, stats: { size, ...times, ...place, executable, readonly } };
  }
}

/** What the flags of a file say of its mode. */
function markOf({ executable, readonly }: { readonly executable: boolean; readonly readonly: boolean }): number {
  return flags.file | (executable ? flags.executable : 0) | (readonly ? flags.readonly : 0);
}

/** Replaces the memory of a directory. Throws what the file system throws. */
export function writeMemory(file: string, { directory, startedAt, tree, entries }: NewMemory): void {
  const texts = [directory, ...entries.map(({ item }) => item.path)];
  for (const { item } of entries) if (item.kind === 'symlink') texts.push(item.target);
  const text = new TextEncoder().encode(`${texts.join('\0')}\0`);
  const fixed = new Uint8Array(columnsEnd(entries.length));
  fixed.set(magic);
  new Uint32Array(fixed.buffer, magic.length, 2).set([version, byteOrderMark]);
  new Float64Array(fixed.buffer, countAt, 2).set([entries.length, tree === undefined ? 0 : 1]);
  if (tree !== undefined) fixed.set(tree, treeAt);
  const columns = columnsOf(fixed, entries.length);
  for (const [i, entry] of entries.entries()) setEntry(columns, i, entry, startedAt);
  const bytes = concatBytes([fixed, text]);
  bytes.set(hashBytes(bytes.subarray(bodyAt)), checksumAt);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${uniqueName(systemRandom)}`;
  try {
    writeFileSync(temporary, bytes, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function setEntry(columns: Columns, i: number, { item, stats }: MemoryEntry, startedAt: number): void {
  let mark: number = flags[item.kind];
  if (item.kind === 'file') {
    mark = markOf(item);
    columns.hashes.set(item.digest.hash, hashLength * i);
    columns.sizes[i] = item.digest.size;
    if (stats !== undefined && isSettled(stats, startedAt)) {
      mark |= flags.trusted;
      columns.mtimes[i] = stats.mtime;
      columns.ctimes[i] = stats.ctime;
      columns.inodes[i] = stats.inode;
      columns.devices[i] = stats.device;
    }
  }
  columns.marks[i] = mark;
}

/** Views of the file, one value for each entry. */
interface Columns {
  readonly count: number;
  readonly sizes: Float64Array;
  readonly mtimes: Float64Array;
  readonly ctimes: Float64Array;
  readonly inodes: Float64Array;
  readonly devices: Float64Array;
  readonly hashes: Uint8Array;
  readonly marks: Uint8Array;
  /** Where the text begins. */
  readonly end: number;
}

const entryBytes = 5 * 8 + hashLength + 1;

function columnsEnd(count: number): number {
  return headerBytes + count * entryBytes;
}

function columnsOf({ buffer }: Uint8Array, count: number): Columns {
  const at = (column: number) => headerBytes + 8 * count * column;
  assert(columnsEnd(count) <= buffer.byteLength, 'a memory has room for its entries');
  return {
    count,
    sizes: new Float64Array(buffer, at(0), count),
    mtimes: new Float64Array(buffer, at(1), count),
    ctimes: new Float64Array(buffer, at(2), count),
    inodes: new Float64Array(buffer, at(3), count),
    devices: new Float64Array(buffer, at(4), count),
    hashes: new Uint8Array(buffer, at(5), hashLength * count),
    marks: new Uint8Array(buffer, at(5) + hashLength * count, count),
    end: columnsEnd(count),
  };
}
