// The rolling hash as a loop in WebAssembly, assembled by hand: two bytes a round, by a second table whose numbers are
// shifted by one bit, as section 3.7 of the FastCDC paper has it. That needs masks without the highest bit. Bytes are copied
// into the module's memory first. All hashes of one table share a module: a call is synchronous, and puts the hash in and
// takes it out again. A module for each would be too many: every one reserves gigabytes of addresses.

import { assert } from '../base/errors.js';
import type { GearHash } from './gear-hash.js';
import type { GearTable, Halves } from './gear-table.js';

/** Where things lie in the module's memory of two pages, each 8 bytes, little-endian. The code below has the first five. */
const at = { table: 0, shiftedTable: 2048, hash: 4096, mask: 4104, shiftedMask: 4112, window: 65_536 };
const windowBytes = 65_536;

// biome-ignore format: an instruction or two to a line
const body = [
  0x01, 0x03, 0x7e, // locals: 0 position, 1 end, both given; 2 hash, 3 mask, 4 shifted mask
  0x41, 0x00, 0x29, 0x03, 0x80, 0x20, 0x21, 0x02, // hash = [4096]
  0x41, 0x00, 0x29, 0x03, 0x88, 0x20, 0x21, 0x03, // mask = [4104]
  0x41, 0x00, 0x29, 0x03, 0x90, 0x20, 0x21, 0x04, // shifted mask = [4112]
  0x02, 0x40, // block
  0x03, 0x40, // loop
  0x20, 0x00, 0x20, 0x01, 0x4f, 0x0d, 0x01, // position >= end: leave the block
  0x20, 0x02, 0x42, 0x02, 0x86, // hash << 2
  0x20, 0x00, 0x2d, 0x00, 0x00, 0x41, 0x03, 0x74, 0x29, 0x03, 0x80, 0x10, // shifted table of the byte at position
  0x7c, 0x22, 0x02, // hash = their sum
  0x20, 0x04, 0x83, 0x50, 0x0d, 0x01, // no bit of the shifted mask: leave the block
  0x20, 0x02, // hash
  0x20, 0x00, 0x2d, 0x00, 0x01, 0x41, 0x03, 0x74, 0x29, 0x03, 0x00, // table of the byte behind it
  0x7c, 0x22, 0x02, // hash = their sum
  0x20, 0x03, 0x83, 0x50, 0x04, 0x40, // no bit of the mask: if
  0x20, 0x00, 0x41, 0x01, 0x6a, 0x21, 0x00, 0x0c, 0x02, 0x0b, // position += 1, leave the block
  0x20, 0x00, 0x41, 0x02, 0x6a, 0x21, 0x00, // position += 2
  0x0c, 0x00, 0x0b, 0x0b, // once more; end of loop and block
  0x41, 0x00, 0x20, 0x02, 0x37, 0x03, 0x80, 0x20, // [4096] = hash
  0x20, 0x00, 0x0b, // position
];

// biome-ignore format: a section to a line
const code = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // \0asm, version 1
  0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, // types: (i32, i32) → i32
  0x03, 0x02, 0x01, 0x00, // functions: one of that type
  0x05, 0x03, 0x01, 0x00, 0x02, // memories: one of two pages
  0x07, 0x09, 0x02, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x66, 0x00, 0x00, // exports: memory m, function f
  0x0a, ...lengthed([0x01, ...lengthed(body)]), // code: one body
]);

interface Exports {
  readonly m: { readonly buffer: ArrayBuffer };
  /** Start and end in memory → position, as `GearHash.find`. */
  readonly f: (start: number, end: number) => number;
}

/** As much of WebAssembly as is used here: Node's types do not have it. */
interface WasmApi {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

const wasm = (globalThis as { readonly WebAssembly?: WasmApi }).WebAssembly;

export const wasmIsThere = wasm !== undefined;

/** A module with the constants of one table. */
interface Loop {
  readonly find: Exports['f'];
  readonly memory: Uint8Array;
  readonly words: DataView;
}

const loops = new WeakMap<GearTable, Loop>();

export class WasmGearHash implements GearHash {
  readonly #loop: Loop;
  #hash: Halves = zero;

  constructor(table: GearTable) {
    const loop = loops.get(table) ?? createLoop(table);
    loops.set(table, loop);
    this.#loop = loop;
  }

  reset(): void {
    this.#hash = zero;
  }

  find(bytes: Uint8Array, start: number, end: number, mask: Halves): number {
    assert((end - start) % 2 === 0, 'bytes are looked at in pairs');
    const { find, memory, words } = this.#loop;
    put(words, at.hash, this.#hash);
    put(words, at.mask, mask);
    put(words, at.shiftedMask, shifted(mask));
    let from = start;
    while (from < end) {
      const count = Math.min(windowBytes, end - from);
      memory.set(bytes.subarray(from, from + count), at.window);
      const found = find(at.window, at.window + count) - at.window;
      from += found;
      if (found < count) break;
    }
    this.#hash = { high: words.getUint32(at.hash + 4, true), low: words.getUint32(at.hash, true) };
    return from;
  }
}

const zero: Halves = { high: 0, low: 0 };

function createLoop(table: GearTable): Loop {
  assert(wasm !== undefined, 'who asks for WebAssembly has it');
  const { m, f } = new wasm.Instance(new wasm.Module(code)).exports as Exports;
  const words = new DataView(m.buffer);
  for (let byte = 0; byte < 256; byte++) {
    const number = { high: table.high[byte]!, low: table.low[byte]! };
    put(words, at.table + 8 * byte, number);
    put(words, at.shiftedTable + 8 * byte, shifted(number));
  }
  return { find: f, memory: new Uint8Array(m.buffer), words };
}

function put(words: DataView, position: number, { high, low }: Halves): void {
  words.setUint32(position, low, true);
  words.setUint32(position + 4, high, true);
}

function shifted({ high, low }: Halves): Halves {
  return { high: ((high << 1) | (low >>> 31)) >>> 0, low: (low << 1) >>> 0 };
}

/** With their number in front, as LEB128. */
function lengthed(bytes: readonly number[]): number[] {
  assert(bytes.length < 1 << 14, 'two bytes hold the number');
  const { length } = bytes;
  return length < 128 ? [length, ...bytes] : [(length & 127) | 128, length >> 7, ...bytes];
}
