// FastCDC, the version of 2020 (Xia et al., "The Design of Fast Content-Defined Chunking"), with the parameters of the
// remote-execution API: a chunk ends where a hash of its bytes so far has certain bits at zero. Before the average length
// more bits are asked for than after it (normalization), so that lengths stay near the average. An edit then changes the
// chunks it touches, and the borders find back to where they were.

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Cutter } from './cutter.js';
import type { GearHash } from './gear-hash.js';
import { type Halves, maskOfBits, standardGear } from './gear-table.js';
import { PlainGearHash } from './plain-gear-hash.js';
import { WasmGearHash, wasmIsThere } from './wasm-gear-hash.js';

export interface FastCdcSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

const normalization = 2;

/** `invalid_argument` unless the average is a power of two that the algorithm is defined for. */
export function fastCdcSizes(average: number): FastCdcSizes {
  const { cdcAverageBytesMin: least, cdcAverageBytesMax: most } = limits;
  if (!Number.isInteger(Math.log2(average)) || average < least || average > most) {
    throw new CairnError('invalid_argument', `${average} is no power of two from ${least} to ${most}`);
  }
  return { min: average / 4, average, max: average * 4 };
}

export class FastCdcCutter implements Cutter {
  readonly #sizes: FastCdcSizes;
  readonly #hash: GearHash;
  readonly #strict: Halves;
  readonly #lax: Halves;
  #length = 0;
  #ended = false;

  /** Sizes are rounded down to even ones, as the reference does: it looks at bytes in pairs. */
  constructor({ min, average, max }: FastCdcSizes, hash: GearHash = createGearHash()) {
    assert(min < average && average < max, 'sizes are in order');
    this.#sizes = { min: even(min), average: even(average), max: even(max) };
    this.#hash = hash;
    const bits = Math.round(Math.log2(average));
    this.#strict = maskOfBits(bits + normalization);
    this.#lax = maskOfBits(bits - normalization);
    hash.reset();
  }

  get ended(): boolean {
    return this.#ended;
  }

  advance(bytes: Uint8Array): number {
    this.#ended = false;
    const { min, average, max } = this.#sizes;
    // No border lies this early, so these bytes are not even looked at.
    let at = Math.min(bytes.length, Math.max(0, min - this.#length));
    at = this.#look(bytes, at, average, this.#strict);
    if (!this.#ended) at = this.#look(bytes, at, max, this.#lax);
    this.#length += at;
    if (this.#length === max) this.#ended = true;
    if (this.#ended) {
      this.#length = 0;
      this.#hash.reset();
    }
    return at;
  }

  /** Looks for a border from a position on, as far as the chunk is shorter than `until`. Where it stopped. */
  #look(bytes: Uint8Array, from: number, until: number, mask: Halves): number {
    const length = this.#length + from;
    if (length < this.#sizes.min || length >= until) return from;
    const end = from + even(Math.min(bytes.length - from, until - length));
    const found = this.#hash.find(bytes, from, end, mask);
    this.#ended = found < end;
    return found;
  }
}

function createGearHash(): GearHash {
  return wasmIsThere ? new WasmGearHash(standardGear) : new PlainGearHash(standardGear);
}

function even(count: number): number {
  return count - (count % 2);
}
