// What the log and the store need of a file system, and nothing else, so that a test can put one underneath that loses
// unsynced bytes, tears writes, runs full or fails. Failures are `CairnError`s: `no_space` for a full disk or quota,
// `overloaded` when there is no descriptor left for what had to be opened, and so nothing was done; `storage` for
// everything else. The system's error is the cause.

export interface OpenFile {
  readonly path: string;
  /** The descriptor, or −1 where there is none. */
  readonly fd: number;
  size(): Promise<number>;
  /** Fills the target from a position; fewer bytes only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /**
   * The same in this turn of the event loop, for few bytes that the system is likely to have in memory. Undefined where it is
   * better asked for by `read`, which also tells what went wrong.
   */
  readNow?(target: Uint8Array, position: number): number | undefined;
  /** Writes all pieces one after the other, or fails with some of the bytes written. */
  write(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Cuts the file's end off. Durable after `sync`. */
  truncate(size: number): Promise<void>;
  /** Makes the file's bytes and size durable. After a failure nothing about its unsynced bytes is known. */
  sync(): Promise<void>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface FileLock {
  release(): Promise<void>;
}

export interface FileSystem {
  /** A new file for reading and writing; fails if the path is taken. */
  create(path: string): Promise<OpenFile>;
  /** Undefined when there is no such file. */
  open(path: string, mode: 'read' | 'write'): Promise<OpenFile | undefined>;
  /** Replaces what was at `to`. Durable after `syncDirectory` of both. */
  rename(from: string, to: string): Promise<void>;
  /** Absent is no error. Durable after `syncDirectory`. */
  remove(path: string): Promise<void>;
  /** Removes a directory with all in it. Absent is no error. */
  removeDirectory(path: string): Promise<void>;
  /** With its parents, durable when resolved. Existing is no error. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, in no order; empty when there is no such directory. */
  list(directory: string): Promise<string[]>;
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Takes a file's exclusive lock until released or the process ends; undefined when another holds it. */
  lock(path: string): Promise<FileLock | undefined>;
}
