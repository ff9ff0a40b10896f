// A snapshot: all rows of the state machine in one file, named by the index it was taken at and its BLAKE3 hash. It begins
// with a magic, then come the rows in order, each with the lengths of key and value (u32, big-endian) before them. What a
// receiver has fetched is checked against the hash before a row of it is used. docs/FORMATS.md has the bytes.

import { join } from 'node:path';
import { type BlobHash, hashesEqual, hashHex } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { createHasher } from '../../blake3/hasher.js';
import type { FileSystem, OpenFile } from '../../log/file-system.js';
import type { RowChange, RowDb, RowReader } from '../row-db.js';

const magic = Buffer.from('CAIRNRS1');
const lengthsBytes = 8;
const everything = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff) };

export interface SnapshotFile {
  readonly path: string;
  readonly hash: BlobHash;
  readonly bytes: number;
}

/** Writes all rows into a file of the directory, durably. The reader is a snapshot: it does not change. */
export async function writeSnapshot(
  fs: FileSystem,
  directory: string,
  index: number,
  reader: RowReader,
): Promise<SnapshotFile> {
  const temporary = join(directory, `making-${index}.tmp`);
  await fs.remove(temporary);
  const file = await fs.create(temporary);
  const hasher = createHasher();
  let bytes = 0;
  const write = async (pieces: readonly Uint8Array[]) => {
    for (const piece of pieces) hasher.update(piece);
    await file.write(pieces, bytes);
    bytes += pieces.reduce((sum, { length }) => sum + length, 0);
  };
  try {
    await write([magic]);
    const cursor = reader.cursor(everything);
    try {
      for (;;) {
        const rows = await cursor.next(limits.snapshotRowsReadCountMax);
        if (rows.length === 0) break;
        await write(rows.flatMap(([key, value]) => [lengths(key, value), key, value]));
      }
    } finally {
      await cursor.close();
    }
    await file.sync();
  } catch (error) {
    await file.close();
    hasher.discard();
    await fs.remove(temporary);
    throw error;
  }
  await file.close();
  const { hash } = hasher.digest();
  const path = join(directory, `${index}-${hashHex(hash)}.snapshot`);
  await fs.rename(temporary, path);
  await fs.syncDirectory(directory);
  return { path, hash, bytes };
}

function lengths(key: Uint8Array, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(lengthsBytes);
  bytes.writeUInt32BE(key.length, 0);
  bytes.writeUInt32BE(value.length, 4);
  return bytes;
}

/** Fills an empty database with the rows of a file. `corrupt` when it is not the one that was promised. */
export async function loadSnapshot(fs: FileSystem, { path, hash }: SnapshotFile, db: RowDb): Promise<void> {
  const file = await fs.open(path, 'read');
  if (file === undefined) throw new CairnError('storage', `the snapshot ${path} is gone`);
  const hasher = createHasher();
  let settled = false;
  try {
    const bytes = new SnapshotBytes(file, (piece) => hasher.update(piece));
    if (!magic.equals((await bytes.take(magic.length)) ?? Buffer.alloc(0))) throw damaged(path);
    let rows: RowChange[] = [];
    let rowsBytes = 0;
    for (;;) {
      const head = await bytes.take(lengthsBytes);
      if (head === undefined) break;
      const key = await bytes.take(head.readUInt32BE(0));
      const value = await bytes.take(head.readUInt32BE(4));
      if (key === undefined || value === undefined) throw damaged(path);
      rows.push({ key, value });
      rowsBytes += key.length + value.length;
      if (rowsBytes < limits.snapshotBatchBytesMax) continue;
      await db.write(rows);
      rows = [];
      rowsBytes = 0;
    }
    settled = true;
    if (!hashesEqual(hasher.digest().hash, hash)) throw damaged(path);
    await db.write(rows);
  } finally {
    if (!settled) hasher.discard();
    await file.close();
  }
}

/** Reads a file from its beginning to its end, a piece at a time. */
class SnapshotBytes {
  readonly #file: OpenFile;
  readonly #onBytes: (piece: Uint8Array) => void;
  #held = Buffer.alloc(0);
  #position = 0;

  constructor(file: OpenFile, onBytes: (piece: Uint8Array) => void) {
    this.#file = file;
    this.#onBytes = onBytes;
  }

  /** So many bytes of their own; undefined when fewer are left. */
  async take(length: number): Promise<Buffer | undefined> {
    if (length > limits.snapshotRowBytesMax) return undefined;
    while (this.#held.length < length) {
      const piece = Buffer.alloc(limits.readBytesMax);
      const got = await this.#file.read(piece, this.#position);
      if (got === 0) return undefined;
      this.#position += got;
      this.#onBytes(piece.subarray(0, got));
      this.#held = Buffer.concat([this.#held, piece.subarray(0, got)]);
    }
    const taken = Buffer.from(this.#held.subarray(0, length));
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

function damaged(path: string): CairnError {
  return new CairnError('corrupt', `the snapshot ${path} is not what it was`);
}
