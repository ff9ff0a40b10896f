// Brings files of a tree from the server into their directories: small ones together in batches, written by worker
// threads; large ones streamed. Bytes are verified against their digest before a file gets its name. What is held is
// bounded by the transfers at once.
//
// A file that cannot be fetched or written fails alone. What concerns them all (no connection, no space on the disk) ends
// the whole with the error.

import { open } from 'node:fs/promises';
import { type Digest, hashHex } from '../base/digest.js';
import { CairnError, type ErrorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { CairnClient } from '../client/cairn-client.js';
import { Slots } from '../client/slots.js';
import type { FileItem } from '../tree/tree-item.js';
import { absent } from './absent.js';
import type { NewFile } from './entry-worker.js';
import type { EntryWorkers } from './entry-workers.js';
import { formatPath } from './format.js';
import { fileMode, moveInto, newFileFlags, removeTemporary, temporaryName, unwritable } from './place-entry.js';
import { entryPath, type SafeDirectory } from './safe-directory.js';

/** A file to be written. Its directory is released when that is done. */
export interface Wanted {
  readonly item: FileItem;
  readonly directory: SafeDirectory;
  readonly name: string;
}

export interface CheckoutWriterParts {
  readonly client: CairnClient;
  readonly workers: EntryWorkers;
  /** Transfers at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  onPlaced(item: FileItem): void;
  onFailed(item: FileItem, error: CairnError): void;
}

/** Files of one content. */
interface Equals {
  readonly digest: Digest;
  readonly files: Wanted[];
}

/** Errors that are one file's own. */
const failsAlone: ReadonlySet<ErrorCode> = new Set(['not_found', 'corrupt', 'failed_precondition', 'invalid_argument']);

export class CheckoutWriter {
  readonly #transfers: Slots;
  /** Batches handed to the worker threads. A transfer ends when its batch has found a place here. */
  readonly #placing: Slots;
  #batch = new Map<string, Equals>();
  #batchBytes = 0;
  #batchFiles = 0;

  constructor(private readonly parts: CheckoutWriterParts) {
    this.#transfers = new Slots(parts.concurrency);
    this.#placing = new Slots(parts.workers.threads + 1);
  }

  /** Resolves when there is room for more. Rejects with what ended the whole. */
  async add(wanted: Wanted): Promise<void> {
    const { digest } = wanted.item;
    if (digest.size > limits.batchedBlobBytesMax) {
      await this.#transfers.start(() => this.#stream(wanted));
      return;
    }
    const key = `${hashHex(digest.hash)} ${digest.size}`;
    const equals = this.#batch.get(key);
    if (equals === undefined) {
      if (this.#batchBytes + digest.size > limits.checkoutBatchBytesMax) await this.#startBatch();
      this.#batch.set(key, { digest, files: [wanted] });
      this.#batchBytes += digest.size;
    } else equals.files.push(wanted);
    if (++this.#batchFiles >= limits.checkoutBatchCountMax) await this.#startBatch();
  }

  /** Resolves when everything added is done. */
  async flush(): Promise<void> {
    try {
      await this.#startBatch();
    } finally {
      try {
        await this.#transfers.drain();
      } finally {
        await this.#placing.drain();
      }
    }
  }

  async #startBatch(): Promise<void> {
    const batch = [...this.#batch.values()];
    this.#batch = new Map();
    this.#batchBytes = 0;
    this.#batchFiles = 0;
    if (batch.length > 0) await this.#transfers.start(() => this.#fetchBatch(batch));
  }

  async #fetchBatch(batch: readonly Equals[]): Promise<void> {
    const blobs = await this.#fetch(batch);
    await this.#placing.start(() => this.#placeBatch(batch, blobs));
  }

  async #placeBatch(batch: readonly Equals[], blobs: readonly (Uint8Array | undefined)[]): Promise<void> {
    const found = batch.filter((_, i) => blobs[i] !== undefined);
    const bytes = new Uint8Array(found.reduce((sum, { digest }) => sum + digest.size, 0));
    const files: NewFile[] = [];
    const wanted: Wanted[] = [];
    let at = 0;
    for (const [i, equals] of batch.entries()) {
      const blob = blobs[i];
      if (blob === undefined) continue;
      bytes.set(blob, at);
      for (const file of equals.files) {
        const { item, directory, name } = file;
        if (!this.#makeWritable(file)) continue;
        const { executable, readonly } = item;
        const path = formatPath(item.path);
        files.push({ directory: directory.path, name, path, executable, readonly, start: at, end: at + blob.length });
        wanted.push(file);
      }
      at += blob.length;
    }
    if (this.parts.signal.aborted) throw new CairnError('canceled', 'canceled');
    for (const [i, placed] of (await this.parts.workers.place({ files, bytes })).entries()) {
      if (placed === undefined) this.#placed(wanted[i]!);
      else this.#fail(wanted[i]!, new CairnError(placed.code, placed.message));
    }
  }

  /** For each of the batch its verified bytes, or undefined when its files have failed. */
  async #fetch(batch: readonly Equals[]): Promise<(Uint8Array | undefined)[]> {
    const { client, signal } = this.parts;
    try {
      const digests = batch.map(({ digest }) => digest);
      const blobs = await client.readBatch(digests, { signal });
      for (const [i, blob] of blobs.entries())
        if (blob === undefined) this.#failEquals(batch[i]!, absent(batch[i]!.digest.hash)[0]);
      return blobs;
    } catch (error) {
      if (!(error instanceof CairnError) || !failsAlone.has(error.code)) throw error;
      if (batch.length === 1) {
        this.#failEquals(batch[0]!, error);
        return [undefined];
      }
      // One that is damaged must not take the others along.
      const blobs: (Uint8Array | undefined)[] = [];
      for (const equals of batch) blobs.push(...(await this.#fetch([equals])));
      return blobs;
    }
  }

  async #stream(wanted: Wanted): Promise<void> {
    const { item, directory, name } = wanted;
    if (!this.#makeWritable(wanted)) return;
    const temporary = temporaryName();
    const path = entryPath(directory.path, temporary);
    try {
      const file = await open(path, newFileFlags, fileMode(item));
      try {
        for await (const piece of this.parts.client.get(item.digest, { signal: this.parts.signal })) {
          for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
        }
      } finally {
        await file.close();
      }
      moveInto(directory.path, temporary, name);
    } catch (error) {
      removeTemporary(directory.path, temporary);
      if (this.parts.signal.aborted) throw new CairnError('canceled', 'canceled');
      const ofServer = error instanceof CairnError;
      this.#fail(wanted, ofServer ? unfetched(item, error) : unwritable(formatPath(item.path), error));
      return;
    }
    this.#placed(wanted);
  }

  #makeWritable(wanted: Wanted): boolean {
    try {
      wanted.directory.makeWritable();
      return true;
    } catch (error) {
      this.#fail(wanted, unwritable(formatPath(wanted.item.path), error));
      return false;
    }
  }

  #placed({ item, directory }: Wanted): void {
    directory.release();
    this.parts.onPlaced(item);
  }

  #failEquals({ files }: Equals, error: CairnError): void {
    for (const file of files) this.#fail(file, unfetched(file.item, error));
  }

  /** Settles the one file, or throws what ends all. */
  #fail({ item, directory }: Wanted, error: CairnError): void {
    directory.release();
    if (!failsAlone.has(error.code)) throw error;
    this.parts.onFailed(item, error);
  }
}

/** An error of the server's side, with the path it concerns. */
function unfetched({ path }: FileItem, { code, message, cause }: CairnError): CairnError {
  return new CairnError(code, `cannot fetch ${formatPath(path)}: ${message}`, { cause });
}
