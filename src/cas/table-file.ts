// The table in memory, saved with its filter, so that opening a store reads one file instead of a whole index. It is saved
// beside all other work, and bound to a log position: what was in the table when the saving began is in the file as it was
// then or became later, and a replay of the log from that position brings all of it to one moment. Derived, so a file that
// cannot be used is no error.
//
// A header of 64 bytes, then for each shard a header of 16 bytes and its slots as they lie in memory, then the filter, then
// what is only known when all that is written. Checksums cover everything, each part's beginning with the file header's.
// The tables are in docs/FORMATS.md.

import { dirname } from 'node:path';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';
import type { FileSystem, OpenFile } from '../log/file-system.js';
import type { LogPosition } from '../log/record.js';
import { BlobFilter, filterBlockBytes } from './blob-filter.js';
import { BlobTable, type TableSecret } from './blob-table.js';
import type { IndexEntry } from './index-db.js';
import { decodeSlots, shardCount, slotBytes } from './table-slot.js';

/** What memory knows of the rows; see `memory-rows.ts`. */
export interface TableImage {
  readonly table: BlobTable;
  readonly filter: BlobFilter | undefined;
  readonly isComplete: boolean;
}

/** What is known when all shards have been copied. */
export interface TableClosing {
  /** The index must have followed the log up to here before the file is worth anything. */
  readonly indexedTo: LogPosition;
  /** Rows that were out of sight at some moment of the copying, though nothing says that they are gone for good. */
  readonly hidden: readonly IndexEntry[];
}

export interface TableSource extends TableImage {
  /** Everything the log says before it was in the table when the saving began. */
  readonly position: LogPosition;
  /** Called once, when all shards and the filter have been copied. */
  closing(): TableClosing;
  /** The file takes its name when this resolves: when the index has followed. */
  indexed(): Promise<void>;
  /** Nobody wants the file any more. */
  isStopped(): boolean;
}

export interface LoadedTable extends TableImage {
  readonly position: LogPosition;
  readonly indexedTo: LogPosition;
}

const magic = new TextEncoder().encode('CAIRNTBL');
const version = 2;
const headerBytes = 64;
const shardHeaderBytes = 16;
const closingHeadBytes = 28;
const completeFlag = 1;
/** Written in the machine's byte order: a machine of the other one does not know the file. */
const byteOrderMark = 0x01020304;

/**
 * Writes the file beside the path and renames it into place, durably. Table and filter may change meanwhile. False, and
 * nothing changed, when it was stopped.
 */
export async function saveTable(fs: FileSystem, path: string, source: TableSource): Promise<boolean> {
  const temporary = `${path}.new`;
  await fs.remove(temporary);
  const file = await fs.create(temporary);
  try {
    const isWhole = await writeTable(new PieceWriter(file), source);
    if (isWhole) {
      await file.sync();
      await source.indexed();
    }
    if (!isWhole || source.isStopped()) {
      await file.close();
      await fs.remove(temporary);
      return false;
    }
  } catch (error) {
    await file.close();
    // What could not be written is not worth a second error.
    await fs.remove(temporary).catch(() => {});
    throw error;
  }
  await file.close();
  await fs.rename(temporary, path);
  await fs.syncDirectory(dirname(path));
  return true;
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

async function writeTable(writer: PieceWriter, source: TableSource): Promise<boolean> {
  const { table, filter } = source;
  const { bytes, checksum } = encodeHeader(source);
  await writer.put(bytes);
  let slots = new Uint8Array(0);
  for (let shard = 0; shard < shardCount; shard++) {
    if (source.isStopped()) return false;
    const words = table.shardWords(shard);
    // A copy, made in one step: the shard may change while its pieces are written.
    if (slots.length < words.byteLength) slots = new Uint8Array(2 * words.byteLength);
    const copy = slots.subarray(0, words.byteLength);
    copy.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    await writer.put(encodeShardHeader(shard, copy, checksum));
    await writer.put(copy);
  }
  // A bit that is set while its piece is being written may be in the file or not, but in the checksum as in the file.
  writer.checksum = checksum;
  if (filter !== undefined) await writer.put(filter.bytes);
  await writer.put(encodeClosing(writer.checksum, source));
  await writer.flush();
  return true;
}

async function readTable(reader: PieceReader): Promise<LoadedTable | undefined> {
  const header = await reader.take(headerBytes);
  const decoded = header && decodeHeader(header);
  if (decoded === undefined) return undefined;
  const { checksum, position, isComplete } = decoded;
  const table = new BlobTable(decoded.secret);
  for (let shard = 0; shard < shardCount; shard++) {
    const shardHeader = await reader.take(shardHeaderBytes);
    const shape = shardHeader && decodeShardHeader(shardHeader, shard, checksum);
    const slots = shape && (await reader.take(shape.slotCount * slotBytes));
    if (slots === undefined || crc32(slots) !== shape?.checksum) return undefined;
    if (!table.adoptShard(shard, new Uint32Array(slots.buffer, 0, slots.length / 4))) return undefined;
  }
  let filter: BlobFilter | undefined;
  let filterChecksum = checksum;
  if (decoded.filterBytes > 0) {
    if (decoded.filterBytes > reader.left) return undefined;
    filter = new BlobFilter(decoded.filterBytes);
    for (let at = 0; at < filter.bytes.length; at += limits.tablePieceBytesMax) {
      const piece = await reader.take(Math.min(limits.tablePieceBytesMax, filter.bytes.length - at));
      if (piece === undefined) return undefined;
      filterChecksum = crc32(piece, filterChecksum);
      filter.bytes.set(piece, at);
    }
  }
  const closing = await readClosing(reader, filterChecksum);
  if (closing === undefined || (filter === undefined && !isComplete)) return undefined;
  for (const { hash, row } of closing.hidden) table.set(hash, row);
  if (filter !== undefined) filter.addedCount = closing.addedCount;
  return { table, filter, isComplete, position, indexedTo: closing.indexedTo };
}

function encodeHeader({ table, filter, isComplete, position }: TableSource): { bytes: Uint8Array; checksum: number } {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint16(8, version, true);
  view.setUint16(10, isComplete ? completeFlag : 0, true);
  new Uint32Array(bytes.buffer)[3] = byteOrderMark;
  view.setUint32(16, table.secret[0], true);
  view.setUint32(20, table.secret[1], true);
  view.setUint32(24, shardCount, true);
  view.setUint32(28, slotBytes, true);
  writePosition(view, 32, position);
  view.setBigUint64(48, BigInt(filter?.bytes.length ?? 0), true);
  const checksum = crc32(bytes.subarray(0, 60));
  view.setUint32(60, checksum, true);
  return { bytes, checksum };
}

interface Header {
  readonly secret: TableSecret;
  readonly position: LogPosition;
  readonly isComplete: boolean;
  readonly filterBytes: number;
  readonly checksum: number;
}

function decodeHeader(bytes: Uint8Array): Header | undefined {
  const view = new DataView(bytes.buffer);
  const secret: TableSecret = [view.getUint32(16, true), view.getUint32(20, true)];
  const filterBytes = Number(view.getBigUint64(48, true));
  const checksum = crc32(bytes.subarray(0, 60));
  const known =
    magic.every((byte, i) => bytes[i] === byte) &&
    view.getUint32(60, true) === checksum &&
    view.getUint16(8, true) === version &&
    new Uint32Array(bytes.buffer)[3] === byteOrderMark &&
    view.getUint32(24, true) === shardCount &&
    view.getUint32(28, true) === slotBytes &&
    secret.every((part) => part % 2 === 1) &&
    filterBytes % filterBlockBytes === 0;
  const isComplete = (view.getUint16(10, true) & completeFlag) !== 0;
  return known ? { secret, position: readPosition(view, 32), isComplete, filterBytes, checksum } : undefined;
}

/** The checksum is that of the filter before it. */
function encodeClosing(checksum: number, source: TableSource): Uint8Array {
  const { indexedTo, hidden } = source.closing();
  // The rows as a table of their own would hold them.
  const rows = new BlobTable(source.table.secret);
  for (const { hash, row } of hidden) rows.set(hash, row);
  const slots = rows.usedSlots();
  const bytes = new Uint8Array(closingHeadBytes + slots.length + 4);
  const view = new DataView(bytes.buffer);
  writePosition(view, 0, indexedTo);
  view.setBigUint64(16, BigInt(source.filter?.addedCount ?? 0), true);
  view.setUint32(24, slots.length / slotBytes, true);
  bytes.set(slots, closingHeadBytes);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4), checksum), true);
  return bytes;
}

async function readClosing(
  reader: PieceReader,
  checksum: number,
): Promise<(TableClosing & { readonly addedCount: number }) | undefined> {
  const bytes = await reader.take(reader.left);
  if (bytes === undefined || bytes.length < closingHeadBytes + 4) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(bytes.length - 4, true) !== crc32(bytes.subarray(0, -4), checksum)) return undefined;
  if (bytes.length !== closingHeadBytes + view.getUint32(24, true) * slotBytes + 4) return undefined;
  return {
    indexedTo: readPosition(view, 0),
    addedCount: Number(view.getBigUint64(16, true)),
    hidden: decodeSlots(new Uint32Array(bytes.buffer.slice(closingHeadBytes, -4))),
  };
}

function writePosition(view: DataView, at: number, position: LogPosition): void {
  view.setBigUint64(at, BigInt(position.segment), true);
  view.setBigUint64(at + 8, BigInt(position.offset), true);
}

function readPosition(view: DataView, at: number): LogPosition {
  return { segment: Number(view.getBigUint64(at, true)), offset: Number(view.getBigUint64(at + 8, true)) };
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
  /** Once it is set: of all that is put from then on, too. */
  checksum: number | undefined;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#piece.length - this.#filled);
      this.#piece.set(part, this.#filled);
      if (this.checksum !== undefined) {
        this.checksum = crc32(this.#piece.subarray(this.#filled, this.#filled + part.length), this.checksum);
      }
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
