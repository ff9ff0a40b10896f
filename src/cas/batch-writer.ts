// One `writeMany` of the local store: what is small and new goes into the log record by record, without a promise for
// each; the rest goes the way of `write`. A slice of the blobs is hashed, looked up and queued in one turn of the event
// loop, so nothing happens between the look at a blob and the start of its commit. Each blob fares as if written alone.

import type { Durability, NamedBlob, WriteResult } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { TurnBudget } from '../base/node/turn-budget.js';
import { digestBlob } from '../blake3/hasher.js';
import type { AppendWitness, Log } from '../log/log.js';
import type { RecordPlace } from '../log/record.js';
import { packedBlobRecord } from './blob-records.js';
import type { Catalog } from './catalog.js';
import type { CommitQueue } from './commit-queue.js';
import type { Poison } from './poison.js';
import { checkExpected } from './write-checks.js';

export interface BatchWriterParts {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly commits: CommitQueue;
  readonly poison: Poison;
  /** Blobs that all writers together hash and queue in one turn of the event loop. */
  readonly turns: TurnBudget;
  readonly durability: Durability;
  readonly signal: AbortSignal | undefined;
  /** The digests are known to be right. */
  readonly areVerified: boolean;
  /** Called in log order, when a small blob's record is durable. */
  readonly appear: (digest: Digest, place: RecordPlace) => void;
  /** Writes one blob: a large one, or one that somebody else is just committing. */
  readonly writeOne: (blob: NamedBlob) => Promise<WriteResult>;
}

export class BatchWriter implements AppendWitness {
  readonly #parts: BatchWriterParts;
  readonly #blobs: readonly NamedBlob[];
  /** A blob under way has the answer it gets if all goes well. */
  readonly #answers: (WriteResult | CairnError)[];
  readonly #others: Promise<void>[] = [];
  #underWay = 0;
  #onIdle: (() => void) | undefined;
  /** The first error that is nobody's answer: something in here is wrong. */
  #defect: unknown;

  constructor(parts: BatchWriterParts, blobs: readonly NamedBlob[]) {
    this.#parts = parts;
    this.#blobs = blobs;
    this.#answers = new Array(blobs.length);
  }

  /** Called once. Resolves when every blob has its answer. */
  async run(): Promise<(WriteResult | CairnError)[]> {
    for (let next = 0; next < this.#blobs.length; ) {
      const { end, cost } = this.#slice(next);
      await this.#parts.turns.take(cost);
      await this.#parts.log.waitForRoom();
      for (; next < end; next++) this.#begin(next, this.#blobs[next]!);
    }
    await Promise.all(this.#others);
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.#defect !== undefined) throw this.#defect;
    return this.#answers;
  }

  /** Where the slice that starts here ends, and what it costs of a turn. */
  #slice(start: number): { readonly end: number; readonly cost: number } {
    const { writeSliceCountMax, writeSliceBytesMax } = limits;
    const endMax = Math.min(this.#blobs.length, start + writeSliceCountMax);
    let end = start;
    let bytes = 0;
    for (; end < endMax && bytes < writeSliceBytesMax; end++) bytes += this.#blobs[end]!.bytes.length;
    return { end, cost: Math.max(end - start, Math.ceil((bytes / writeSliceBytesMax) * writeSliceCountMax)) };
  }

  #begin(index: number, blob: NamedBlob): void {
    const { poison, signal, areVerified } = this.#parts;
    try {
      refuseWhenCanceled(signal);
      poison.refuse();
      if (blob.bytes.length > limits.packedBlobBytesMax) {
        this.#writeOther(index, blob);
        return;
      }
      const digest = areVerified ? blob.digest : digestBlob(blob.bytes);
      checkExpected(blob.digest, digest);
      this.#beginSmall(index, blob, digest);
    } catch (error) {
      this.#refuse(index, error);
    }
  }

  #beginSmall(index: number, blob: NamedBlob, digest: Digest): void {
    const { log, catalog, commits } = this.#parts;
    const existed = digest.size === 0 || catalog.has(digest.hash);
    if (!existed && !commits.tryBegin(digest.hash)) {
      this.#writeOther(index, blob);
      return;
    }
    this.#answers[index] = { digest, existed, durability: this.#parts.durability };
    if (existed) return;
    this.#underWay++;
    try {
      log.enqueue(packedBlobRecord(digest.hash, blob.bytes), this, index);
    } catch (error) {
      this.failed(index, error);
    }
  }

  durable(index: number, place: RecordPlace): void {
    const digest = this.#digestOf(index);
    this.#parts.appear(digest, place);
    this.#end(digest);
  }

  failed(index: number, error: unknown): void {
    const digest = this.#digestOf(index);
    this.#refuse(index, error);
    this.#end(digest);
  }

  #end({ hash }: Digest): void {
    this.#parts.commits.end(hash);
    if (--this.#underWay === 0) this.#onIdle?.();
  }

  #writeOther(index: number, blob: NamedBlob): void {
    this.#others.push(
      this.#parts.writeOne(blob).then(
        (result) => {
          this.#answers[index] = result;
        },
        (error: unknown) => this.#refuse(index, error),
      ),
    );
  }

  #digestOf(index: number): Digest {
    return (this.#answers[index] as WriteResult).digest;
  }

  #refuse(index: number, error: unknown): void {
    if (!(error instanceof CairnError)) this.#defect ??= error;
    this.#answers[index] = error instanceof CairnError ? error : new CairnError('internal', 'the write broke off');
  }
}
