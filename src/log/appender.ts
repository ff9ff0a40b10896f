// The one writer of a log. Records queue up in order of call; one group commit at a time takes the front of the queue: one
// write, one sync, then every acknowledgement in order. How it fails:
//   - a failed write rejects its batch. Whatever of it reached the file must never be taken for records, so the file is cut
//     back, durably; where even that fails, the next append begins a new segment, whose header says where this one ends;
//   - a failed sync says nothing about what is on disk, and neither would a second try. The log is poisoned: it takes no
//     more appends.
// A segment is durable before the next begins, and the next one's header before its first record.

import { join } from 'node:path';
import type { Durability } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import { assert, CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { type AppendWitness, BatchEncoder, PendingAppend } from './append-batch.js';
import type { FileSystem } from './file-system.js';
import { checkNewRecord, type LogPosition, type NewRecord, type RecordPlace } from './record.js';
import { Segment, segmentFileName } from './segment.js';
import { encodeSegmentHeader, type SegmentHeader, saltBytes, segmentHeaderAreaBytes } from './segment-header.js';

export interface AppenderParts {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly durability: Durability;
  readonly segmentBytesTarget: number;
  readonly random: Random;
  readonly clock: Clock;
  readonly onPoisoned: (error: CairnError) => void;
  /** New segments are added at the end. */
  readonly segments: Map<number, Segment>;
}

export interface AppendStart {
  readonly last: Segment | undefined;
  readonly continues: boolean;
  readonly nextSegment: number;
}

export class Appender {
  readonly #parts: AppenderParts;
  #current: Segment | undefined;
  #end: LogPosition;
  #nextSegment: number;
  #rollsNext: boolean;
  readonly #encoder = new BatchEncoder();
  #queue: PendingAppend[] = [];
  #queuedBytes = 0;
  #waiting: (() => void)[] = [];
  /** The next of them are let in soon, if there is room. */
  #lettingIn = false;
  #running = false;
  #idle: (() => void)[] = [];
  /** Resolves when no sync of the current segment runs. */
  #syncing: Promise<void> = Promise.resolve();
  #poison: CairnError | undefined;
  #closed = false;

  constructor(parts: AppenderParts, start: AppendStart) {
    this.#parts = parts;
    this.#current = start.last;
    this.#end = { segment: start.last?.id ?? 0, offset: start.last?.end ?? 0 };
    // A segment keeps to one durability: its header says which.
    this.#rollsNext = !start.continues || start.last?.header?.durability !== parts.durability;
    this.#nextSegment = start.nextSegment;
  }

  get end(): LogPosition {
    return this.#end;
  }

  append(record: NewRecord, onDurable: (place: RecordPlace) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const durable = (_index: number, place: RecordPlace) => {
        onDurable(place);
        resolve();
      };
      this.enqueue(record, { durable, failed: (_index, error) => reject(error) }, 0);
    });
  }

  /** Throws when it does not take the record; otherwise tells the witness later, once. */
  enqueue(record: NewRecord, witness: AppendWitness, index: number): void {
    this.refuseWhenStopped();
    checkNewRecord(record);
    if (this.#queuedBytes >= limits.appendQueueBytesRefused) {
      throw new CairnError('overloaded', `${this.#queuedBytes} bytes wait to be written to the log`);
    }
    const pending = new PendingAppend(record, witness, index);
    this.#queue.push(pending);
    this.#queuedBytes += pending.length;
    this.#start();
  }

  waitForRoom(): Promise<void> {
    if (this.#hasRoom() && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  roll(): void {
    this.#rollsNext ||= this.#current !== undefined && !this.#current.isEmpty;
  }

  /** Makes what is written durable. Earlier segments are already. */
  async sync(): Promise<void> {
    this.refuseWhenStopped();
    if (this.#parts.durability === 'memory') await this.#syncCurrent();
  }

  async #syncCurrent(): Promise<void> {
    const segment = this.#current;
    if (segment === undefined) return;
    segment.acquire();
    try {
      await this.#syncInTurn(segment);
    } finally {
      await segment.release();
    }
  }

  /**
   * Syncs of one file never run side by side: when the system cannot write its bytes, it may tell only one of them, and the
   * other's success means nothing.
   */
  async #syncInTurn({ file }: Segment): Promise<void> {
    const turn = this.#syncing.then(async () => {
      this.#refuseWhenPoisoned();
      await this.#orPoison(file.sync());
    });
    this.#syncing = turn.catch(() => {});
    await turn;
  }

  /** Removes directory entries for good. */
  syncDirectory(): Promise<void> {
    return this.#orPoison(this.#parts.fs.syncDirectory(this.#parts.directory));
  }

  /** Cuts a sealed segment's file to the segment's end, durably: who has cut it before may not have seen that. */
  async cut(segment: Segment): Promise<void> {
    const file = await this.#parts.fs.open(segment.file.path, 'write');
    if (file === undefined) return;
    try {
      await file.truncate(Math.min(await file.size(), segment.end));
      await this.#orPoison(file.sync());
    } finally {
      await file.close();
    }
  }

  refuseWhenStopped(): void {
    if (this.#closed) throw new CairnError('unavailable', 'the log is closed');
    this.#refuseWhenPoisoned();
  }

  /** Refuses further appends, waits for those under way and makes them durable. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#poison === undefined) await this.#syncCurrent();
  }

  #refuseWhenPoisoned(): void {
    if (this.#poison === undefined) return;
    throw new CairnError('storage', 'the log takes no more writes since a sync failed', { cause: this.#poison });
  }

  #hasRoom(): boolean {
    return this.#queuedBytes < limits.appendQueueBytesMax || this.#poison !== undefined;
  }

  /** A commit begins when this turn of the event loop is over, so that everybody who has something to say comes along. */
  #start(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    await this.#commit();
    this.#letIn();
    this.#running = false;
    if (this.#queue.length > 0) this.#start();
    else for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Some of those who wait in each turn of the event loop: what they append counts before others are let in. */
  #letIn(): void {
    if (this.#lettingIn || !this.#hasRoom()) return;
    for (const resolve of this.#waiting.splice(0, limits.appendersLetInCountMax)) resolve();
    if (this.#waiting.length === 0) return;
    this.#lettingIn = true;
    setImmediate(() => {
      this.#lettingIn = false;
      this.#letIn();
    });
  }

  async #commit(): Promise<void> {
    const current = this.#current;
    const rolls = current === undefined || this.#rollsNext || current.end >= this.#parts.segmentBytesTarget;
    const { batch, bytes } = this.#takeBatch(rolls ? segmentHeaderAreaBytes : current.end);
    let segment: Segment;
    try {
      segment = rolls ? await this.#beginSegment() : current;
      await this.#write(segment, batch);
      if (this.#parts.durability === 'disk') await this.#orPoison(segment.file.sync());
      this.#refuseWhenPoisoned();
    } catch (error) {
      for (const { witness, index } of batch) witness.failed(index, error);
      return;
    }
    this.#acknowledge(segment, batch, bytes);
  }

  /** The front of the queue, as much as one commit and the segment take; always at least one record. */
  #takeBatch(start: number): { batch: PendingAppend[]; bytes: number } {
    const bytesMax = Math.min(limits.groupCommitBytesMax, this.#parts.segmentBytesTarget - start);
    let count = 0;
    let bytes = 0;
    for (const { length } of this.#queue) {
      if (count === limits.groupCommitRecordsCountMax) break;
      if (count > 0 && (bytes >= bytesMax || bytes + length > limits.groupCommitBytesMax)) break;
      bytes += length;
      count++;
    }
    this.#queuedBytes -= bytes;
    return { batch: this.#queue.splice(0, count), bytes };
  }

  async #write(segment: Segment, batch: readonly PendingAppend[]): Promise<void> {
    assert(segment.saltChecksum !== undefined, 'a segment that takes records has a header');
    try {
      await segment.file.write(this.#encoder.encode(batch, segment, segment.saltChecksum), segment.end);
    } catch (error) {
      await this.#takeBack(segment);
      throw error;
    }
  }

  async #takeBack(segment: Segment): Promise<void> {
    this.#rollsNext = true;
    try {
      await segment.file.truncate(segment.end);
    } catch {
      return;
    }
    await this.#syncInTurn(segment);
    this.#rollsNext = false;
  }

  #acknowledge(segment: Segment, batch: readonly PendingAppend[], bytes: number): void {
    let offset = segment.end;
    segment.end += bytes;
    for (const { witness, index, length } of batch) {
      try {
        witness.durable(index, { segment: segment.id, offset, length });
      } catch (error) {
        if (!(error instanceof CairnError)) throw error;
        witness.failed(index, error);
      }
      offset += length;
    }
    this.#end = { segment: segment.id, offset };
  }

  async #beginSegment(): Promise<Segment> {
    const { fs, directory, durability, random, clock, segments } = this.#parts;
    const previous = this.#current;
    if (previous !== undefined) {
      await this.#syncInTurn(previous);
    }
    const id = this.#nextSegment++;
    const header: SegmentHeader = {
      segment: id,
      salt: random.bytes(saltBytes),
      previousSegment: previous?.id ?? 0,
      previousEnd: previous?.end ?? 0,
      durability,
      created: clock.now(),
    };
    const path = join(directory, segmentFileName(id));
    const file = await fs.create(path);
    try {
      await file.write([encodeSegmentHeader(header)], 0);
      await this.#orPoison(file.sync());
      await this.#orPoison(fs.syncDirectory(directory));
    } catch (error) {
      // If it stays, it is a segment without records, or without a header: the next open knows what to do with either.
      await file.close().catch(() => {});
      await fs.remove(path).catch(() => {});
      throw error;
    }
    const segment = new Segment(id, file, header, segmentHeaderAreaBytes, false);
    if (previous !== undefined) previous.sealed = true;
    segments.set(id, segment);
    this.#current = segment;
    this.#rollsNext = false;
    return segment;
  }

  async #orPoison(sync: Promise<void>): Promise<void> {
    try {
      await sync;
    } catch (error) {
      // No descriptor for the directory: nothing was tried.
      if (errorCode(error) === 'overloaded') throw error;
      const poison = new CairnError('storage', 'a sync of the log failed', { cause: error });
      if (this.#poison === undefined) {
        this.#poison = poison;
        this.#refuseQueued();
        this.#parts.onPoisoned(poison);
      }
      throw poison;
    }
  }

  #refuseQueued(): void {
    const queue = this.#queue.splice(0);
    this.#queuedBytes = 0;
    for (const { witness, index } of queue) witness.failed(index, this.#poison);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
