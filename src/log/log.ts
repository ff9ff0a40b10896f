// The append-only record log: one directory of segment files `<16 hex digits>.log`, one writer, any number of readers.
// What is acknowledged is replayed by every later open, in order, until its segment is removed; what was never
// acknowledged may be replayed after a crash, whole or not at all. One process has a log open at a time; its caller sees
// to that. This file composes the parts: recovery, appender, scanner, reader.

import type { Durability } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import { assert, CairnError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { AppendWitness } from './append-batch.js';
import { Appender } from './appender.js';
import type { FileSystem } from './file-system.js';
import type { LogPosition, NewRecord, RecordPlace, ScannedRecord } from './record.js';
import { RecordReader } from './record-reader.js';
import { recoverLog } from './recovery.js';
import { type DamagedStretch, type ScanReport, scanSealed } from './scanner.js';
import type { Segment, SegmentInfo } from './segment.js';

export type { AppendWitness } from './append-batch.js';
export type { RecordReader } from './record-reader.js';

export interface LogParts {
  readonly fs: FileSystem;
  readonly directory: string;
  /** 'memory': a record is acknowledged when it is written; `sync` makes it durable. */
  readonly durability: Durability;
  /** A segment that has reached this size takes no further record. */
  readonly segmentBytesTarget: number;
  readonly random: Random;
  readonly clock: Clock;
  /** Called once, when a sync has failed and the log takes no more appends. */
  readonly onPoisoned?: (error: CairnError) => void;
  /** Called when a segment is gone, with its id. */
  readonly onRemoved?: (segment: number) => void;
  /** Called for every damaged run of bytes that an open or a scan had to skip. */
  readonly onDamage?: (stretch: DamagedStretch) => void;
}

export class Log {
  readonly #parts: LogParts;
  readonly #segments: Map<number, Segment>;
  readonly #appender: Appender;
  #closing: Promise<void> | undefined;

  private constructor(parts: LogParts, segments: Map<number, Segment>, appender: Appender) {
    this.#parts = parts;
    this.#segments = segments;
    this.#appender = appender;
  }

  /**
   * Replays every record at or after `from` (undefined: all) into `visit` in log order, one at a time, then is ready for
   * appends.
   * `from` is 0 of segment 0, the `end` of an earlier session or the place of a record. `out_of_range` when the log ends
   * before it.
   */
  static async open(
    parts: LogParts,
    from: LogPosition | undefined,
    visit: (record: ScannedRecord) => void | Promise<void>,
  ): Promise<Log> {
    const { fs, directory, onDamage = () => {}, onPoisoned = () => {} } = parts;
    await fs.makeDirectory(directory);
    const recovered = await recoverLog({ fs, directory, onDamage }, from, visit);
    const { segments } = recovered;
    return new Log(parts, segments, new Appender({ ...parts, onPoisoned, segments }, recovered));
  }

  /**
   * Enqueues synchronously: the order of calls is the order of the log. When the record is durable (in 'memory' mode:
   * written), calls `onDurable` synchronously in log order, then resolves. The caller's bytes must stay unchanged until
   * then. A rejected record is in no later replay, unless the machine stops before the log is used again, or it was
   * `onDurable` that threw.
   * `too_large`, `no_space`, `overloaded`, `unavailable` when closed; `storage` for any other failure of the disk.
   */
  append(record: NewRecord, onDurable: (place: RecordPlace) => void): Promise<void> {
    return this.#appender.append(record, onDurable);
  }

  /**
   * The same for a record that is one of many: instead of a promise, a witness that is told later, in log order, once:
   * `durable` or `failed`, with the index given here. Throws when the record is not taken; the witness then hears nothing.
   */
  enqueue(record: NewRecord, witness: AppendWitness, index: number): void {
    this.#appender.enqueue(record, witness, index);
  }

  /** Resolves when the append queue has room; await it before `append` and `enqueue`. */
  waitForRoom(): Promise<void> {
    return this.#appender.waitForRoom();
  }

  /** Everything before it is written and has had its `onDurable`. Segment 0, byte 0 as long as there is no segment. */
  get end(): LogPosition {
    return this.#appender.end;
  }

  /** In 'memory' mode: makes everything before `end` durable. In 'disk' mode it is. */
  sync(): Promise<void> {
    return this.#appender.sync();
  }

  /** In ascending order of id. */
  segments(): readonly SegmentInfo[] {
    return Array.from(this.#segments.values(), (segment) => segment.info);
  }

  /**
   * Opens one record and pins its segment, from the call on. `lengthHint`: bytes to fetch with the first read (the record's
   * length when known), so that a small record costs one read. `not_found` when the segment was removed; `corrupt` when
   * header, meta or block table do not check out.
   */
  async openRecord(at: LogPosition, lengthHint: number): Promise<RecordReader> {
    const segment = this.#pin(at.segment);
    return RecordReader.open(segment, at.offset, lengthHint);
  }

  /**
   * The same in this turn of the event loop, for a small record that the system is likely to have in memory. Undefined where
   * `openRecord` has to be asked, which also tells what is wrong.
   */
  openRecordNow(at: LogPosition, lengthHint: number): RecordReader | undefined {
    const segment = this.#segments.get(at.segment);
    return segment && RecordReader.openNow(segment, at.offset, lengthHint);
  }

  /** Visits all records of a sealed segment in order. Damaged stretches are skipped to the next valid record. */
  async scan(id: number, visit: (record: ScannedRecord) => void | Promise<void>): Promise<ScanReport> {
    const segment = this.#pin(id);
    try {
      assert(segment.sealed, 'only a sealed segment is scanned');
      return await scanSealed(segment, 0, visit, this.#parts.onDamage ?? (() => {}));
    } finally {
      await segment.release();
    }
  }

  /** Begins a new segment with the next append, so that the current one becomes sealed. */
  roll(): void {
    this.#appender.roll();
  }

  /**
   * Removes a sealed segment, durably. Readers that hold it keep reading until they close. After a failure it is still
   * there, or may be again after a restart.
   */
  async remove(id: number): Promise<void> {
    this.#appender.refuseWhenStopped();
    const segment = this.#segments.get(id);
    if (segment === undefined) throw notFound(id);
    assert(segment.sealed, 'only a sealed segment is removed');
    // This segment's header alone says where the one before it ends; that must be plain without it.
    const previous = this.#segments.get(segment.header?.previousSegment ?? 0);
    if (previous !== undefined) await this.#appender.cut(previous);
    await this.#parts.fs.remove(segment.file.path);
    await this.#appender.syncDirectory();
    if (!this.#segments.delete(id)) return;
    this.#parts.onRemoved?.(id);
    await segment.release();
  }

  /** Waits for appends under way and makes them durable. Later calls fail; records held open stay readable. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#appender.close();
    } finally {
      const segments = [...this.#segments.values()];
      this.#segments.clear();
      await Promise.all(segments.map((segment) => segment.release()));
    }
  }

  #pin(id: number): Segment {
    const segment = this.#segments.get(id);
    if (segment === undefined) throw notFound(id);
    segment.acquire();
    return segment;
  }
}

function notFound(id: number): CairnError {
  return new CairnError('not_found', `the log has no segment ${id}`);
}
