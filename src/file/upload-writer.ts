// Takes in bytes of one upload session: whole chunks go to the store, what is behind them to the staging area, and then the
// session's row says so. Chunks begin where the last one ended, so a session that stops and goes on cuts the same chunks
// as an upload in one go, and completing it needs no second pass.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { StagingArea } from '../base/staging.js';
import { type Manifest, ManifestBuilder } from '../chunk/manifest-builder.js';
import type { Compare, KvStore, Operation } from '../meta/kv.js';
import { ChunkWriter } from './chunk-writer.js';
import type { FileServiceParts } from './file-service.js';
import { StagedTail, TailSpill } from './staged-tail.js';
import { decodeUploadRow, encodeUploadRow, type TailRow, type UploadRow, uploadKeys } from './upload-rows.js';

export interface UploadWriterParts extends Pick<FileServiceParts, 'store' | 'kv' | 'clock' | 'budget'> {
  readonly staging: StagingArea;
}

/** A session's row as it was read or written last: it is written again only if it is still so. */
export interface HeldUpload {
  readonly row: UploadRow;
  readonly revision: number;
}

/** `not_found` without that session. */
export async function readUpload(kv: KvStore, uploadId: string): Promise<HeldUpload> {
  const item = isUploadId(uploadId) ? await kv.get(uploadKeys.session(uploadId)) : undefined;
  if (item === undefined) {
    const subject = { kind: 'upload', id: uploadId } as const;
    throw new CairnError('not_found', `there is no upload ${JSON.stringify(uploadId)}`, { subject });
  }
  return { row: decodeUploadRow(item.value), revision: item.revision };
}

export function isUploadId(text: string): boolean {
  return /^u_[0-9a-f]{32}$/.test(text);
}

export function uploadUnchanged({ row, revision }: HeldUpload): Compare {
  return { key: uploadKeys.session(row.uploadId), target: 'revision', is: '=', value: revision };
}

/** One call at a time, and `close` in the end. After a failure nothing but `close`. */
export class UploadWriter {
  readonly #parts: UploadWriterParts;
  readonly #writer: ChunkWriter;
  #held: HeldUpload;
  /** Start of the open chunk as it was stored last. */
  #storedCut: number;
  #tail: { readonly cut: number; readonly staged: StagedTail } | undefined;
  /** Tails of chunks that are whole by now, though the row may still name them. */
  #obsolete: string[] = [];

  private constructor(parts: UploadWriterParts, held: HeldUpload, builder: ManifestBuilder) {
    const { store, budget } = parts;
    this.#parts = parts;
    this.#held = held;
    this.#storedCut = builder.bytes;
    const openSpill = async () => new TailSpill(store, await this.#openTail());
    this.#writer = new ChunkWriter({ store, chunking: held.row.chunking, budget, openSpill, builder });
  }

  /** Goes on where the row says. Where the tail is gone or damaged, `offset` is less than the row's. */
  static async open(parts: UploadWriterParts, held: HeldUpload): Promise<UploadWriter> {
    const saved = await parts.kv.get(uploadKeys.chunks(held.row.uploadId));
    const { store } = parts;
    const builder = saved === undefined ? new ManifestBuilder(store) : ManifestBuilder.restore(store, saved.value);
    const writer = new UploadWriter(parts, held, builder);
    try {
      await writer.#takeTail();
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  get held(): HeldUpload {
    return this.#held;
  }

  /** Bytes so far, those that are not durable yet among them. */
  get offset(): number {
    return this.#writer.builder.bytes + this.#writer.openBytes;
  }

  /** Bytes that a crash would cost. */
  get unsavedBytes(): number {
    return this.offset - this.#held.row.offset;
  }

  /** `invalid_argument` when there would be more bytes than the session is for. */
  async take(bytes: Uint8Array): Promise<void> {
    const { uploadId, size } = this.#held.row;
    if (this.offset + bytes.length > size) {
      const subject = { kind: 'upload', id: uploadId } as const;
      throw new CairnError('invalid_argument', `the upload has ${size} bytes, and more came`, { subject });
    }
    await this.#writer.take(bytes);
  }

  /** Makes all bytes durable, and the row say so. `conflict` when another wrote it meanwhile. */
  async save(): Promise<void> {
    const { kv, clock, staging } = this.#parts;
    await this.#writer.settle();
    const tail = await this.#saveTail();
    const { builder } = this.#writer;
    const { uploadId } = this.#held.row;
    const expiresAt = clock.now() + limits.uploadLifeMilliseconds;
    const row: UploadRow = { ...this.#held.row, offset: this.offset, tail, expiresAt };
    const puts: Operation[] = [{ kind: 'put', key: uploadKeys.session(uploadId), value: encodeUploadRow(row) }];
    if (builder.bytes !== this.#storedCut) {
      puts.push({ kind: 'put', key: uploadKeys.chunks(uploadId), value: builder.save() });
    }
    const { succeeded, revision } = await kv.txn({ compares: [uploadUnchanged(this.#held)], success: puts });
    if (!succeeded) throw changedByAnother(uploadId);
    this.#held = { row, revision };
    this.#storedCut = builder.bytes;
    for (const name of this.#obsolete.splice(0)) await staging.remove(name);
  }

  /** Ends the last chunk and the manifest, which are durable then. The row stays as it is. */
  finish(): Promise<Manifest> {
    return this.#writer.finish();
  }

  async close(): Promise<void> {
    await this.#writer.discard();
    await this.#tail?.staged.close();
  }

  async #takeTail(): Promise<void> {
    const { tail } = this.#held.row;
    const staged = tail && (await StagedTail.open(this.#parts.staging, tail));
    if (staged === undefined) return;
    this.#tail = { cut: this.#storedCut, staged };
    if (!(await staged.isIntact())) {
      await this.#dropTail();
      return;
    }
    for await (const piece of staged.pieces()) await this.#writer.take(piece);
  }

  /** The staged bytes of the open chunk, and of no other. */
  async #openTail(): Promise<StagedTail> {
    const cut = this.#writer.builder.bytes;
    if (this.#tail?.cut !== cut) {
      await this.#dropTail();
      const name = `${this.#held.row.uploadId}.${cut}`;
      this.#tail = { cut, staged: await StagedTail.create(this.#parts.staging, name) };
    }
    return this.#tail!.staged;
  }

  async #dropTail(): Promise<void> {
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.staged.close();
    if (tail !== undefined) this.#obsolete.push(tail.staged.name);
  }

  async #saveTail(): Promise<TailRow | undefined> {
    const size = this.#writer.openBytes;
    if (size === 0) {
      await this.#dropTail();
      return undefined;
    }
    const staged = await this.#openTail();
    for (const bytes of this.#writer.openBytesFrom(staged.size)) await staged.append(bytes);
    return staged.sync();
  }
}

export function changedByAnother(uploadId: string): CairnError {
  const subject = { kind: 'upload', id: uploadId } as const;
  return new CairnError('conflict', 'another request goes on with this upload', { subject });
}
