// Takes in the bytes of one blob: hashes them, keeps up to `packedBlobBytesMax` in memory, and from there on writes them
// to a temporary file with a checksum for each block. Nothing is visible until the store commits what came in.
// Large pieces go to the file as they are, while the hash is computed beside the write; small ones are gathered first.
// Between two pieces a spool holds at most `spoolBufferBytes`, so that a thousand stalled writers stay cheap.

import type { Durability } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Hasher } from '../blake3/hash-engine.js';
import { createHasher, digestBlob } from '../blake3/hasher.js';
import { BlockChecksums } from '../log/block-checksums.js';
import type { OpenFile } from '../log/file-system.js';
import { SyncAhead } from './sync-ahead.js';
import type { TemporaryFiles } from './temporary-files.js';

export type Spooled =
  | { readonly kind: 'packed'; readonly digest: Digest; readonly bytes: Uint8Array }
  | { readonly kind: 'large'; readonly digest: Digest; readonly file: OpenFile; readonly checksums: Uint8Array };

/** The part of a spool that exists once the blob is too large to be packed. */
interface Spilled {
  readonly file: OpenFile;
  readonly hasher: Hasher;
  readonly checksums: BlockChecksums;
  /** Undefined where nothing is promised to be on the disk. */
  readonly ahead: SyncAhead | undefined;
  position: number;
}

const noBytes = new Uint8Array(0);
/** Memory for the first bytes of a blob of unknown size. */
const firstBufferBytes = 4096;

export class Spool {
  readonly #files: TemporaryFiles;
  readonly #durability: Durability;
  /** Bytes after which the blob is certainly not what was announced. */
  readonly #sizeMax: number;
  readonly #announcedLarge: boolean;
  readonly #firstBufferBytes: number;
  /** What is gathered, in memory that grows with it: most large pieces never come by here. */
  #buffer: Uint8Array = noBytes;
  #buffered = 0;
  #size = 0;
  #spilled: Spilled | undefined;

  constructor(files: TemporaryFiles, expect: Digest | undefined, durability: Durability) {
    this.#files = files;
    this.#durability = durability;
    this.#sizeMax = Math.min(expect?.size ?? limits.blobBytesMax, limits.blobBytesMax);
    this.#announcedLarge = expect !== undefined && expect.size > limits.packedBlobBytesMax;
    this.#firstBufferBytes = Math.min(expect?.size ?? firstBufferBytes, limits.packedBlobBytesMax);
  }

  /** `digest_mismatch` or `too_large` as soon as there are more bytes than there can be. */
  async take(piece: Uint8Array): Promise<void> {
    this.#size += piece.length;
    if (this.#size > this.#sizeMax) this.#refuseSize();
    if (piece.length >= limits.spoolGatheredBytesMax && this.#isLarge) {
      const gathered = this.#buffer.subarray(0, this.#buffered);
      this.#buffer = noBytes;
      this.#buffered = 0;
      await this.#spill([gathered, piece]);
      return;
    }
    if (this.#buffered + piece.length > limits.spoolBufferBytes) await this.#flush();
    this.#gather(piece);
  }

  /** Certainly not a packed one, unless it turns out not to be what was announced. */
  get #isLarge(): boolean {
    return this.#spilled !== undefined || this.#size > limits.packedBlobBytesMax || this.#announcedLarge;
  }

  #refuseSize(): never {
    if (this.#sizeMax === limits.blobBytesMax) {
      throw new CairnError('too_large', `a blob has at most ${limits.blobBytesMax} bytes`);
    }
    throw new CairnError('digest_mismatch', `expected ${this.#sizeMax} bytes, got more`);
  }

  #gather(piece: Uint8Array): void {
    const needed = this.#buffered + piece.length;
    if (needed > this.#buffer.length) {
      const wanted = Math.max(needed, 2 * this.#buffer.length, this.#firstBufferBytes);
      const grown = new Uint8Array(Math.min(wanted, limits.spoolBufferBytes));
      grown.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.#buffered);
    this.#buffered = needed;
  }

  async #flush(): Promise<void> {
    if (this.#buffered === 0) return;
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#spill([bytes]);
  }

  async #spill(pieces: readonly Uint8Array[]): Promise<void> {
    this.#spilled ??= await this.#beginFile();
    const { file, hasher, checksums, ahead, position } = this.#spilled;
    const written = file.write(pieces, position);
    for (const piece of pieces) {
      this.#spilled.position += piece.length;
      hasher.update(piece);
      checksums.update(piece);
    }
    await written;
    ahead?.wrote(this.#spilled.position - position);
  }

  async #beginFile(): Promise<Spilled> {
    const file = await this.#files.create();
    const ahead = this.#durability === 'memory' ? undefined : new SyncAhead(file);
    return { file, hasher: createHasher(), checksums: new BlockChecksums(), ahead, position: 0 };
  }

  /** The whole blob. It is the caller's to commit, or to drop with `dropSpooled`. */
  async finish(): Promise<Spooled> {
    if (this.#spilled === undefined && this.#size <= limits.packedBlobBytesMax) {
      const bytes = this.#buffer.subarray(0, this.#buffered);
      return { kind: 'packed', digest: digestBlob(bytes), bytes };
    }
    await this.#flush();
    const { file, hasher, checksums, ahead } = this.#spilled!;
    await ahead?.finish();
    this.#spilled = undefined;
    return { kind: 'large', digest: hasher.digest(), file, checksums: checksums.finish() };
  }

  /** Ends an unfinished spool and removes what it wrote. Does nothing after `finish`. */
  async discard(): Promise<void> {
    const spilled = this.#spilled;
    if (spilled === undefined) return;
    this.#spilled = undefined;
    spilled.hasher.discard();
    // Why the blob is not stored is known already.
    await spilled.ahead?.finish().catch(() => {});
    await this.#files.remove(spilled.file);
  }
}

/** Removes what a finished spool left in `temp/`, if anything. */
export async function dropSpooled(files: TemporaryFiles, spooled: Spooled): Promise<void> {
  if (spooled.kind === 'large') await files.remove(spooled.file);
}
