// Checksums of stored bytes: one CRC-32 for each block of `blockBytes`, the last block being what is left. A table of them
// has four bytes a block, little-endian, in order. Cheap enough to be checked on every read (about 4 GB/s).

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';

const { blockBytes } = limits;

export function blockCount(bytes: number): number {
  return Math.ceil(bytes / blockBytes);
}

/** The table of bytes that come in pieces cut anywhere. */
export class BlockChecksums {
  #table = new Uint8Array(64);
  #blocks = 0;
  #checksum = 0;
  /** Bytes of the block under way. */
  #filled = 0;

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + blockBytes - this.#filled);
      this.#checksum = crc32(bytes.subarray(at, end), this.#checksum);
      this.#filled += end - at;
      at = end;
      if (this.#filled === blockBytes) this.#endBlock();
    }
  }

  /** The table of all bytes so far. Ends the object. */
  finish(): Uint8Array {
    if (this.#filled > 0) this.#endBlock();
    return this.#table.slice(0, 4 * this.#blocks);
  }

  #endBlock(): void {
    if (4 * this.#blocks === this.#table.length) {
      const grown = new Uint8Array(2 * this.#table.length);
      grown.set(this.#table);
      this.#table = grown;
    }
    writeChecksum(this.#table, 4 * this.#blocks++, this.#checksum);
    this.#checksum = 0;
    this.#filled = 0;
  }
}

/** Writes the table of bytes that are at hand as a whole into `target` at `at`. */
export function writeChecksums(bytes: Uint8Array, target: Uint8Array, at: number): void {
  if (bytes.length > 0 && bytes.length <= blockBytes) {
    writeChecksum(target, at, crc32(bytes));
    return;
  }
  for (let start = 0, to = at; start < bytes.length; start += blockBytes, to += 4) {
    writeChecksum(target, to, crc32(bytes.subarray(start, start + blockBytes)));
  }
}

/**
 * Throws `corrupt`, naming `what`, unless the bytes are `bytesExpected` many and match their table. They begin at the start
 * of a block, and the table with that block's entry; the table may reach further than the bytes.
 */
export function verifyBlocks(bytes: Uint8Array, table: Uint8Array, what: string, bytesExpected = bytes.length): void {
  if (bytes.length !== bytesExpected) {
    throw new CairnError('corrupt', `${what} ends ${bytesExpected - bytes.length} bytes too early`);
  }
  const blocks = blockCount(bytes.length);
  assert(table.length >= 4 * blocks, 'every block has a checksum');
  for (let block = 0; block < blocks; block++) {
    if (!blockMatches(bytes.subarray(block * blockBytes, (block + 1) * blockBytes), table, block)) {
      throw new CairnError('corrupt', `${what} is damaged: block ${block} of the ${blocks} read has a wrong checksum`);
    }
  }
}

/** Whether one whole block is what entry `index` of the table says. */
export function blockMatches(block: Uint8Array, table: Uint8Array, index: number): boolean {
  return crc32(block) === readChecksum(table, index);
}

function writeChecksum(target: Uint8Array, at: number, checksum: number): void {
  target[at] = checksum;
  target[at + 1] = checksum >>> 8;
  target[at + 2] = checksum >>> 16;
  target[at + 3] = checksum >>> 24;
}

/** Entry `index` of a table. */
export function readChecksum(table: Uint8Array, index: number): number {
  const at = 4 * index;
  return (table[at]! | (table[at + 1]! << 8) | (table[at + 2]! << 16) | (table[at + 3]! << 24)) >>> 0;
}
