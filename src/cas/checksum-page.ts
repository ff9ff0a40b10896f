// A run of a large blob's checksum table in memory, and what it was used for. Blocks of which a reader wants a part are
// checked in pieces: the checksums of a block's pieces, put together, are the block's; from then on they are known, and the
// next reader of a part of that block need not read and check all of it. What they say is as good as the table: they were
// taken from bytes that matched it.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';
import type { ByteRange } from '../base/range.js';
import { blockMatches, readChecksum } from '../log/block-checksums.js';

const { blockBytes, blockPieceBytes } = limits;
const piecesInBlock = blockBytes / blockPieceBytes;

/** Memory of a page of so many blocks, at most. */
export function checksumPageBytes(blocks: number): number {
  return 4 * blocks * (1 + piecesInBlock);
}

export class ChecksumPage {
  /** Of each block's pieces, 0 when not known: who has 0 for a checksum is checked with its whole block each time. */
  #pieces: Uint32Array | undefined;
  readonly #blocks: number;

  constructor(
    readonly firstBlock: number,
    readonly table: Uint8Array,
    /** Whether there is memory for the checksums of pieces. */
    readonly remembersPieces: boolean,
  ) {
    this.#blocks = table.length / 4;
  }

  covers(firstBlock: number, blockEnd: number): boolean {
    return firstBlock >= this.firstBlock && blockEnd <= this.firstBlock + this.#blocks;
  }

  /** Whether the pieces at both ends of a range are known: it has been read, or what lies around it. */
  isFamiliar({ start, end }: ByteRange): boolean {
    return this.#knows(Math.floor(start / blockBytes)) && this.#knows(Math.floor((end - 1) / blockBytes));
  }

  /** What has to be read of a blob of `size` bytes to check a range of it: whole blocks, or known pieces at its ends. */
  extent({ start, end }: ByteRange, size: number): ByteRange {
    const startUnit = this.#unit(Math.floor(start / blockBytes));
    const endUnit = this.#unit(Math.floor((end - 1) / blockBytes));
    return { start: start - (start % startUnit), end: Math.min(Math.ceil(end / endUnit) * endUnit, size) };
  }

  /**
   * Throws `corrupt`, naming `what`, unless the bytes are those of the extent of a range. Remembers the pieces of blocks
   * that the range covers in part.
   */
  verify(bytes: Uint8Array, extent: ByteRange, range: ByteRange, what: string): void {
    for (let from = extent.start; from < extent.end; ) {
      const block = Math.floor(from / blockBytes);
      const to = Math.min((block + 1) * blockBytes, extent.end);
      const run = bytes.subarray(from - extent.start, to - extent.start);
      const isWhole = from % blockBytes === 0 && (run.length === blockBytes || !this.#knows(block));
      const inPart = from < range.start || to > range.end;
      if (!(isWhole ? this.#wholeMatches(block, run, inPart) : this.#piecesMatch(block, from % blockBytes, run))) {
        throw new CairnError('corrupt', `${what} is damaged: block ${block} has a wrong checksum`);
      }
      from = to;
    }
  }

  #unit(block: number): number {
    return this.#knows(block) ? blockPieceBytes : blockBytes;
  }

  #knows(block: number): boolean {
    const pieces = this.#pieces;
    if (pieces === undefined) return false;
    const at = piecesInBlock * (block - this.firstBlock);
    for (let piece = 0; piece < piecesInBlock; piece++) if (pieces[at + piece] === 0) return false;
    return true;
  }

  #wholeMatches(block: number, bytes: Uint8Array, inPart: boolean): boolean {
    const index = block - this.firstBlock;
    // The last block may be short, and is then checked as a whole.
    if (!inPart || !this.remembersPieces || bytes.length < blockBytes) return blockMatches(bytes, this.table, index);
    const pieces = new Uint32Array(piecesInBlock);
    let whole = 0;
    for (let piece = 0; piece < piecesInBlock; piece++) {
      const checksum = crc32(bytes.subarray(piece * blockPieceBytes, (piece + 1) * blockPieceBytes));
      pieces[piece] = checksum;
      whole = (passPiece(whole) ^ checksum) >>> 0;
    }
    if (whole !== readChecksum(this.table, index)) return false;
    this.#pieces ??= new Uint32Array(piecesInBlock * this.#blocks);
    this.#pieces.set(pieces, piecesInBlock * index);
    return true;
  }

  #piecesMatch(block: number, offset: number, bytes: Uint8Array): boolean {
    const first = piecesInBlock * (block - this.firstBlock) + offset / blockPieceBytes;
    const end = first + bytes.length / blockPieceBytes;
    let expected = 0;
    for (let piece = first; piece < end; piece++) expected = passPiece(expected) ^ this.#pieces![piece]!;
    return crc32(bytes) === expected >>> 0;
  }
}

/**
 * A CRC-32 is linear: that of two runs, one behind the other, is the second's, combined by exclusive or with what becomes of
 * the first's when it passes over as many zeros as the second has bytes. This table says what becomes of each byte of it.
 */
let passing: Uint32Array | undefined;

function passPiece(checksum: number): number {
  passing ??= passingTable();
  return (
    passing[checksum & 255]! ^
    passing[256 + ((checksum >>> 8) & 255)]! ^
    passing[512 + ((checksum >>> 16) & 255)]! ^
    passing[768 + (checksum >>> 24)]!
  );
}

function passingTable(): Uint32Array {
  const zeros = new Uint8Array(blockPieceBytes);
  const ofZeros = crc32(zeros);
  const table = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 4; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const passed = (crc32(zeros, (1 << (8 * byte + bit)) >>> 0) ^ ofZeros) >>> 0;
      const span = 1 << bit;
      for (let value = 0; value < span; value++) {
        table[256 * byte + span + value] = (table[256 * byte + value]! ^ passed) >>> 0;
      }
    }
  }
  return table;
}
