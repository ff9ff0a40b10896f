// A saved `BlobTable`, so that opening a store reads one file instead of a whole index. It holds for the log position inside
// it and says nothing about any other: who loads it compares. Derived, so a file that cannot be used is no error.
//
// A header of 64 bytes, then for each shard a header of 16 bytes and its slots as they lie in memory. Checksums cover
// everything, each shard's beginning with the file header's. The tables are in docs/FORMATS.md.

import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { FileSystem, OpenFile } from '../log/file-system.js';
import type { LogPosition } from '../log/record.js';
import { BlobTable, shardCount, slotBytes, type TableSecret } from './blob-table.js';

export interface LoadedTable {
  readonly table: BlobTable;
  readonly position: LogPosition;
}

const magic = new TextEncoder().encode('CAIRNTBL');
const version = 1;
const headerBytes = 64;
const shardHeaderBytes = 16;
/** Written in the machine's byte order: a machine of the other one does not know the file. */
const byteOrderMark = 0x01020304;

/**
 * Writes the table beside the path and renames it into place, durably. The table may change meanwhile: each shard is
 * saved as it was at some moment after the call. So the file agrees with the log when everything before `position` was in
 * the table at the call, and replaying the log from there says all that changed since.
 */
export async function saveTable(fs: FileSystem, path: string, table: BlobTable, position: LogPosition): Promise<void> {
  const temporary = `${path}.new`;
  await fs.remove(temporary);
  const file = await fs.create(temporary);
  try {
    await writeTable(new PieceWriter(file), table, position);
    await file.sync();
  } catch (error) {
    await file.close();
    // What could not be written is not worth a second error.
    await fs.remove(temporary).catch(() => {});
    throw error;
  }
  await file.close();
  await fs.rename(temporary, path);
  await fs.syncDirectory(dirname(path));
}

/** Undefined when there is no such file, or it is damaged, unreadable, or of another version or machine. */
export async function loadTable(fs: FileSystem, path: string): Promise<LoadedTable | undefined> {
  let file: OpenFile | undefined;
  try {
    file = await fs.open(path, 'read');
    return file && (await readTable(new PieceReader(file, await file.size())));
  } catch (error) {
    if (error instanceof CairnError) return undefined;
    throw error;
  } finally {
    await file?.close();
  }
}

async function writeTable(writer: PieceWriter, table: BlobTable, position: LogPosition): Promise<void> {
  const { bytes, checksum } = encodeHeader(table.secret, position);
  await writer.put(bytes);
  let slots = new Uint8Array(0);
  for (let shard = 0; shard < shardCount; shard++) {
    const words = table.shardWords(shard);
    // A copy, made in one step: the shard may change while its pieces are written.
    if (slots.length < words.byteLength) slots = new Uint8Array(2 * words.byteLength);
    const copy = slots.subarray(0, words.byteLength);
    copy.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    await writer.put(encodeShardHeader(shard, copy, checksum));
    await writer.put(copy);
  }
  await writer.flush();
}

async function readTable(reader: PieceReader): Promise<LoadedTable | undefined> {
  const header = await reader.take(headerBytes);
  const decoded = header && decodeHeader(header);
  if (decoded === undefined) return undefined;
  const table = new BlobTable(decoded.secret);
  for (let shard = 0; shard < shardCount; shard++) {
    const shardHeader = await reader.take(shardHeaderBytes);
    const shape = shardHeader && decodeShardHeader(shardHeader, shard, decoded.checksum);
    const slots = shape && (await reader.take(shape.slotCount * slotBytes));
    if (slots === undefined || crc32(slots) !== shape?.checksum) return undefined;
    if (!table.adoptShard(shard, new Uint32Array(slots.buffer, 0, slots.length / 4))) return undefined;
  }
  return reader.left === 0 ? { table, position: decoded.position } : undefined;
}

function encodeHeader(secret: TableSecret, position: LogPosition): { bytes: Uint8Array; checksum: number } {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint16(8, version, true);
  new Uint32Array(bytes.buffer)[3] = byteOrderMark;
  view.setUint32(16, secret[0], true);
  view.setUint32(20, secret[1], true);
  view.setUint32(24, shardCount, true);
  view.setUint32(28, slotBytes, true);
  view.setBigUint64(32, BigInt(position.segment), true);
  view.setBigUint64(40, BigInt(position.offset), true);
  const checksum = crc32(bytes.subarray(0, 60));
  view.setUint32(60, checksum, true);
  return { bytes, checksum };
}

function decodeHeader(bytes: Uint8Array): { secret: TableSecret; position: LogPosition; checksum: number } | undefined {
  const view = new DataView(bytes.buffer);
  const secret: TableSecret = [view.getUint32(16, true), view.getUint32(20, true)];
  const position = { segment: Number(view.getBigUint64(32, true)), offset: Number(view.getBigUint64(40, true)) };
  const checksum = crc32(bytes.subarray(0, 60));
  const known =
    magic.every((byte, i) => bytes[i] === byte) &&
    view.getUint32(60, true) === checksum &&
    view.getUint16(8, true) === version &&
    new Uint32Array(bytes.buffer)[3] === byteOrderMark &&
    view.getUint32(24, true) === shardCount &&
    view.getUint32(28, true) === slotBytes &&
    secret.every((part) => part % 2 === 1);
  return known ? { secret, position, checksum } : undefined;
}

function encodeShardHeader(shard: number, slots: Uint8Array, fileChecksum: number): Uint8Array {
  const bytes = new Uint8Array(shardHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, shard, true);
  view.setUint32(4, slots.length / slotBytes, true);
  view.setUint32(8, crc32(slots), true);
  view.setUint32(12, crc32(bytes.subarray(0, 12), fileChecksum), true);
  return bytes;
}

function decodeShardHeader(
  bytes: Uint8Array,
  shard: number,
  fileChecksum: number,
): { slotCount: number; checksum: number } | undefined {
  const view = new DataView(bytes.buffer);
  if (view.getUint32(12, true) !== crc32(bytes.subarray(0, 12), fileChecksum)) return undefined;
  if (view.getUint32(0, true) !== shard) return undefined;
  return { slotCount: view.getUint32(4, true), checksum: view.getUint32(8, true) };
}

/** Writes what it is given in order, in pieces of one size. */
class PieceWriter {
  readonly #file: OpenFile;
  readonly #piece = new Uint8Array(limits.tablePieceBytesMax);
  #filled = 0;
  #position = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#piece.length - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#piece.length) await this.flush();
    }
  }

  async flush(): Promise<void> {
    await this.#file.write([this.#piece.subarray(0, this.#filled)], this.#position);
    this.#position += this.#filled;
    this.#filled = 0;
  }
}

/** Reads a file from its beginning, in pieces of one size. */
class PieceReader {
  readonly #file: OpenFile;
  readonly #piece = new Uint8Array(limits.tablePieceBytesMax);
  #start = 0;
  #end = 0;
  #position = 0;
  /** Bytes of the file not taken yet. */
  left: number;

  constructor(file: OpenFile, size: number) {
    this.#file = file;
    this.left = size;
  }

  /** The next so many bytes, in a buffer of their own; undefined when there are not so many. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (length > this.left) return undefined;
    const taken = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.#start === this.#end && !(await this.#refill())) return undefined;
      const part = this.#piece.subarray(this.#start, Math.min(this.#end, this.#start + length - at));
      taken.set(part, at);
      at += part.length;
      this.#start += part.length;
    }
    this.left -= length;
    return taken;
  }

  async #refill(): Promise<boolean> {
    this.#start = 0;
    this.#end = await this.#file.read(this.#piece, this.#position);
    this.#position += this.#end;
    return this.#end > 0;
  }
}
