// The bytes of a session's open chunk in the staging area, with their checksum.

import type { BlobStore } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';
import type { Staging, StagingArea } from '../base/staging.js';
import type { ChunkSpill } from './chunk-spill.js';
import type { TailRow } from './upload-rows.js';

export class StagedTail {
  readonly name: string;
  readonly #staging: Staging;
  #checksum: number;

  private constructor(name: string, staging: Staging, checksum: number) {
    this.name = name;
    this.#staging = staging;
    this.#checksum = checksum;
  }

  /** An empty one. What was there under its name is cut off. */
  static async create(area: StagingArea, name: string): Promise<StagedTail> {
    const staging = await area.open(name, 0);
    if (staging === undefined) throw new CairnError('storage', `nothing can be staged as ${name}`);
    return new StagedTail(name, staging, 0);
  }

  /** One that was stored. Undefined when it is not there any more; its bytes are checked by who reads them. */
  static async open(area: StagingArea, { name, size, checksum }: TailRow): Promise<StagedTail | undefined> {
    const staging = await area.open(name, size);
    return staging && new StagedTail(name, staging, checksum);
  }

  get size(): number {
    return this.#staging.size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await this.#staging.append(bytes);
    this.#checksum = crc32(bytes, this.#checksum);
  }

  /** Resolves when it is durable, with what is to be stored of it. */
  async sync(): Promise<TailRow> {
    await this.#staging.sync();
    return { name: this.name, size: this.size, checksum: this.#checksum };
  }

  /** Whether all bytes are there and are those that were staged. */
  async isIntact(): Promise<boolean> {
    let checksum = 0;
    for await (const piece of this.pieces()) checksum = crc32(piece, checksum);
    return checksum === this.#checksum;
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    const { size } = this;
    for (let start = 0; start < size; start += limits.readBytesMax) {
      yield await this.#staging.read({ start, end: Math.min(size, start + limits.readBytesMax) });
    }
  }

  close(): Promise<void> {
    return this.#staging.close();
  }
}

/** A chunk that outgrew memory goes on in its session's tail. What is staged of it already is not written again. */
export class TailSpill implements ChunkSpill {
  readonly #store: Pick<BlobStore, 'write'>;
  readonly #tail: StagedTail;
  #size = 0;

  constructor(store: Pick<BlobStore, 'write'>, tail: StagedTail) {
    this.#store = store;
    this.#tail = tail;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const staged = Math.max(0, Math.min(this.#tail.size - this.#size, bytes.length));
    this.#size += bytes.length;
    await this.#tail.append(bytes.subarray(staged));
  }

  async finish(): Promise<Digest> {
    return (await this.#store.write(this.#whole())).digest;
  }

  /** A byte may be staged that turned out to belong to the next chunk. */
  async *#whole(): AsyncGenerator<Uint8Array> {
    let left = this.#size;
    for await (const piece of this.#tail.pieces()) {
      yield piece.subarray(0, left);
      left -= Math.min(left, piece.length);
    }
  }

  /** The tail is the session's. */
  async discard(): Promise<void> {}
}
