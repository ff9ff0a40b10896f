// A file system in memory that keeps no more than a real one promises. The model:
//
//   Bytes     A write or a cut shows at once to every reader, and is durable after a later `sync` of that file that
//             succeeds. At a crash each 512-byte sector of each write that is not durable survives or not on its own, and
//             each cut as a whole; they are applied in the order they were made. Where a sector is lost, the file may
//             still have grown over it: it reads as zeros there.
//   Names     A creation, a rename or a removal shows at once, and is durable after `syncDirectory` of the directory it
//             changed. At a crash each change that is not durable survives or not on its own. A rename inside one directory
//             is one change; across directories it is two, so each directory needs its sync. `makeDirectory` is durable
//             when it resolves. Syncing a file says nothing about its name.
//   Failure   A failed sync throws dice at once for every sector that is not durable: kept for good or never to be, while
//             readers still see it, and no later sync brings it back. A failed write has written the first bytes, as many
//             as the dice say. Every other failed operation has done nothing.
//   Crash     The operation the machine stops in has happened, but is not durable; it and all later calls throw
//             `CrashError`. `crash(seed)` gives the file system that the machine finds when it starts again.
//
// Operations that change something (and syncs) are counted from 1; `inject` may fail each of them. Reads are not counted.
// An open file keeps its bytes when its name goes, and counts as open until it is closed. There are no descriptors: `fd` is −1.

import { dirname, join } from 'node:path';
import { CairnError } from '../../src/base/errors.js';
import type { FileLock, FileSystem, OpenFile } from '../../src/log/file-system.js';
import { type SeededRandom, seededRandom } from './random.js';

export type OperationName =
  | 'create'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'removeDirectory'
  | 'makeDirectory'
  | 'syncDirectory';

export interface Operation {
  /** From 1, for this file system. */
  readonly number: number;
  readonly name: OperationName;
  readonly path: string;
}

export type Fault = 'io_error' | 'no_space' | 'crash';

/** Decides about every operation just before it is done. */
export type Injector = (operation: Operation) => Fault | undefined;

export class CrashError extends Error {
  override readonly name = 'CrashError';

  constructor() {
    super('the machine has stopped');
  }
}

const sectorBytes = 512;
const lastOperationsMax = 8;
const nothing = () => {};
const injectedCode = { io_error: 'EIO', no_space: 'ENOSPC' } as const;

/** Bytes that grow and shrink; zeros where nothing was written. Copies share their buffer until one of them changes. */
class Bytes {
  #buffer = new Uint8Array(0);
  #isShared = false;
  length = 0;

  copy(): Bytes {
    const copy = new Bytes();
    copy.#buffer = this.#buffer;
    copy.length = this.length;
    copy.#isShared = this.#isShared = true;
    return copy;
  }

  view(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  write(bytes: Uint8Array, position: number): void {
    this.resize(Math.max(this.length, position + bytes.length));
    this.#buffer.set(bytes, position);
  }

  /** To be called before every change. */
  resize(length: number): void {
    if (this.#isShared) this.#buffer = this.#buffer.slice();
    this.#isShared = false;
    if (length < this.length) this.#buffer.fill(0, length, this.length);
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.view());
      this.#buffer = grown;
    }
    this.length = length;
  }
}

type Change = { readonly position: number; readonly bytes: Uint8Array } | { readonly size: number };

function apply(change: Change, to: Bytes): void {
  if ('size' in change) to.resize(Math.min(change.size, to.length));
  else to.write(change.bytes, change.position);
}

/** One file, whatever its name. */
class Inode {
  readonly seen: Bytes;
  #durable: Bytes;
  #pending: Change[] = [];

  constructor(bytes = new Bytes()) {
    this.#durable = bytes;
    this.seen = bytes.copy();
  }

  change(change: Change): void {
    apply(change, this.seen);
    this.#pending.push(change);
  }

  sync(): void {
    for (const change of this.#pending.splice(0)) apply(change, this.#durable);
  }

  failSync(random: SeededRandom): void {
    this.#durable = this.survivor(random);
    this.#pending = [];
  }

  /** What a crash leaves of the file. */
  survivor(random: SeededRandom): Bytes {
    const left = this.#durable.copy();
    // Dice that are always fair would all but never keep or lose a long write as a whole.
    const chance = random.pick([0, 0.1, 0.5, 0.9, 1]);
    for (const change of this.#pending) {
      if ('size' in change) {
        if (random.chance(chance)) apply(change, left);
      } else keepSectors(change.position, change.bytes, left, chance, random);
    }
    return left;
  }
}

function keepSectors(start: number, bytes: Uint8Array, left: Bytes, chance: number, random: SeededRandom): void {
  const end = start + bytes.length;
  for (let at = start; at < end; ) {
    const sectorEnd = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    if (random.chance(chance)) left.write(bytes.subarray(at - start, sectorEnd - start), at);
    else if (random.chance(chance / 4)) left.resize(Math.max(left.length, sectorEnd));
    at = sectorEnd;
  }
}

/** All names. Directories have their own set, so that empty ones exist. */
class Tree {
  readonly directories = new Set<string>(['/']);
  readonly files = new Map<string, Inode>();

  copy(): Tree {
    const copy = new Tree();
    for (const path of this.directories) copy.directories.add(path);
    for (const [path, inode] of this.files) copy.files.set(path, inode);
    return copy;
  }

  set(path: string, inode: Inode): void {
    this.makeDirectory(dirname(path));
    this.files.set(path, inode);
  }

  makeDirectory(path: string): void {
    for (let made = path; !this.directories.has(made); made = dirname(made)) this.directories.add(made);
  }
}

interface NameChange {
  readonly directory: string;
  readonly apply: (tree: Tree) => void;
}

export class FaultFileSystem implements FileSystem {
  /** May be set at any time. */
  inject: Injector = () => undefined;
  /** Reads that fail. May be set at any time. */
  unreadable: (path: string, position: number) => boolean = () => false;
  /** Operations so far. */
  operations = 0;
  /** What they were, the last ones, as text for who looks for what happened. */
  readonly lastOperations: string[] = [];
  readonly #open = new Set<OpenFile>();
  readonly #random: SeededRandom;
  readonly #seen: Tree;
  readonly #durable: Tree;
  #pending: NameChange[] = [];
  #crashed = false;
  readonly #locked = new Set<string>();

  /** The seed throws the dice of failed syncs and writes. */
  constructor(seed = 1, tree = new Tree()) {
    this.#random = seededRandom(seed);
    this.#durable = tree;
    this.#seen = tree.copy();
  }

  /** The file system after the machine stopped and started again. This one can be crashed again, with other dice. */
  crash(seed: number): FaultFileSystem {
    const random = seededRandom(seed);
    const names = this.#durable.copy();
    const chance = random.pick([0, 0.5, 1]);
    for (const change of this.#pending) if (random.chance(chance)) change.apply(names);
    const tree = new Tree();
    for (const path of names.directories) tree.directories.add(path);
    const survivors = new Map<Inode, Inode>();
    for (const [path, inode] of names.files) {
      const survivor = survivors.get(inode) ?? new Inode(inode.survivor(random));
      survivors.set(inode, survivor);
      tree.files.set(path, survivor);
    }
    return new FaultFileSystem(seed, tree);
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Stops the machine now. */
  stop(): void {
    this.#crashed = true;
  }

  /** The bytes of a file as readers see them. Changing them damages the file, durably and unnoticed. */
  damage(path: string, change: (bytes: Uint8Array) => void): void {
    const inode = this.#seen.files.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    inode.sync();
    const bytes = inode.seen.view().slice();
    change(bytes);
    inode.change({ position: 0, bytes });
    inode.sync();
  }

  /** Paths of the files that were opened and not closed. */
  openPaths(): string[] {
    return [...this.#open].map(({ path }) => path).sort();
  }

  /** Paths of all files, in order. */
  paths(): string[] {
    return [...this.#seen.files.keys()].sort();
  }

  async create(path: string): Promise<OpenFile> {
    this.#refuseWhenCrashed();
    if (this.#seen.files.has(path)) throw systemError('EEXIST', path);
    if (!this.#seen.directories.has(dirname(path))) throw systemError('ENOENT', path);
    const inode = new Inode();
    this.#perform('create', path, () => this.#changeNames(dirname(path), (tree) => tree.set(path, inode)));
    return this.#openFile(path, inode, 'write');
  }

  async open(path: string, mode: 'read' | 'write'): Promise<OpenFile | undefined> {
    this.#refuseWhenCrashed();
    const inode = this.#seen.files.get(path);
    return inode && this.#openFile(path, inode, mode);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#refuseWhenCrashed();
    const inode = this.#seen.files.get(from);
    if (inode === undefined || !this.#seen.directories.has(dirname(to))) throw systemError('ENOENT', from);
    this.#perform('rename', from, () => {
      if (dirname(from) === dirname(to)) {
        this.#changeNames(dirname(to), (tree) => {
          tree.files.delete(from);
          tree.set(to, inode);
        });
      } else {
        this.#changeNames(dirname(to), (tree) => tree.set(to, inode));
        this.#changeNames(dirname(from), (tree) => tree.files.delete(from));
      }
    });
  }

  async remove(path: string): Promise<void> {
    this.#perform('remove', path, () => {
      if (this.#seen.files.has(path)) this.#changeNames(dirname(path), (tree) => tree.files.delete(path));
    });
  }

  async removeDirectory(path: string): Promise<void> {
    this.#perform('removeDirectory', path, () => {
      // Each name inside goes or stays on its own, until the directory above is synced.
      const inside = (name: string) => name === path || name.startsWith(`${path}/`);
      const directory = dirname(path);
      this.#pending = this.#pending.map((change) => (inside(change.directory) ? { ...change, directory } : change));
      for (const file of [...this.#seen.files.keys()].filter(inside)) {
        this.#changeNames(dirname(path), (tree) => tree.files.delete(file));
      }
      this.#changeNames(dirname(path), (tree) => {
        const used = [...tree.files.keys()].some(inside);
        if (!used) for (const directory of [...tree.directories].filter(inside)) tree.directories.delete(directory);
      });
    });
  }

  async makeDirectory(path: string): Promise<void> {
    this.#perform('makeDirectory', path, () => this.#changeNames(dirname(path), (tree) => tree.makeDirectory(path)));
    this.#pending.pop();
    this.#durable.makeDirectory(path);
  }

  async list(directory: string): Promise<string[]> {
    this.#refuseWhenCrashed();
    const names = [...this.#seen.files.keys(), ...this.#seen.directories].filter((path) => path !== '/');
    return names.filter((path) => dirname(path) === directory).map((path) => path.slice(join(directory, '/').length));
  }

  async syncDirectory(path: string): Promise<void> {
    this.#perform('syncDirectory', path, nothing);
    for (const change of this.#pending) if (change.directory === path) change.apply(this.#durable);
    this.#pending = this.#pending.filter((change) => change.directory !== path);
  }

  async lock(path: string): Promise<FileLock | undefined> {
    this.#refuseWhenCrashed();
    if (this.#locked.has(path)) return undefined;
    if (!this.#seen.files.has(path)) await (await this.create(path)).close();
    this.#locked.add(path);
    return { release: async () => void this.#locked.delete(path) };
  }

  #openFile(path: string, inode: Inode, mode: 'read' | 'write'): OpenFile {
    const refuseUnlessWritable = () => {
      if (mode === 'read') throw systemError('EBADF', path);
    };
    const file: OpenFile = {
      path,
      fd: -1,
      size: async () => {
        this.#refuseWhenCrashed();
        return inode.seen.length;
      },
      read: async (target, position) => {
        this.#refuseWhenCrashed();
        if (this.unreadable(path, position)) throw systemError('EIO', path);
        const bytes = inode.seen.view().subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      write: async (pieces, position) => {
        refuseUnlessWritable();
        const bytes = joined(pieces);
        const write = (count: number) => inode.change({ position, bytes: bytes.slice(0, count) });
        const writePart = () => write(this.#random.below(bytes.length + 1));
        this.#perform('write', path, () => write(bytes.length), writePart);
      },
      truncate: async (size) => {
        refuseUnlessWritable();
        this.#perform('truncate', path, () => inode.change({ size }));
      },
      sync: async () => {
        this.#perform('sync', path, nothing, () => inode.failSync(this.#random));
        inode.sync();
      },
      close: async () => void this.#open.delete(file),
    };
    this.#open.add(file);
    return file;
  }

  /**
   * Counts an operation and does its visible part, or fails as is injected. What it makes durable its caller does
   * afterwards, and so not when the machine stops here.
   */
  #perform(name: OperationName, path: string, act: () => void, fail = nothing): void {
    this.#refuseWhenCrashed();
    const fault = this.inject({ number: ++this.operations, name, path });
    this.lastOperations.push(`${name} ${path}${fault === undefined ? '' : ` (${fault})`}`);
    if (this.lastOperations.length > lastOperationsMax) this.lastOperations.shift();
    if (fault === 'io_error' || fault === 'no_space') {
      fail();
      throw systemError(injectedCode[fault], path);
    }
    act();
    if (fault === 'crash') {
      this.#crashed = true;
      throw new CrashError();
    }
  }

  #changeNames(directory: string, apply: (tree: Tree) => void): void {
    apply(this.#seen);
    this.#pending.push({ directory, apply });
  }

  #refuseWhenCrashed(): void {
    if (this.#crashed) throw new CrashError();
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Bytes();
  for (const piece of pieces) bytes.write(piece, bytes.length);
  return bytes.view();
}

function systemError(code: 'EIO' | 'ENOSPC' | 'ENOENT' | 'EEXIST' | 'EBADF', path: string): CairnError {
  const cause = Object.assign(new Error(`${code}: ${path}`), { code });
  return new CairnError(code === 'ENOSPC' ? 'no_space' : 'storage', cause.message, { cause });
}
