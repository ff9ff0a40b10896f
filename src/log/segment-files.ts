// The segments of a log that another thread writes, for reading alone. A segment is opened when its first record is asked for
// and kept open, up to a number of them; a record held open keeps its segment, as in the log itself. The writer's thread says
// when a segment has been removed: until it is forgotten here, its file takes up space.

import { join } from 'node:path';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { FileSystem } from './file-system.js';
import type { LogPosition } from './record.js';
import { RecordReader } from './record-reader.js';
import { Segment, segmentFileName } from './segment.js';
import { decodeSegmentHeader, segmentHeaderAreaBytes } from './segment-header.js';

export class SegmentFiles {
  readonly #fs: FileSystem;
  readonly #directory: string;
  /** In order of use, the latest last. */
  readonly #segments = new Map<number, Promise<Segment>>();
  /** Those of them that are open by now. */
  readonly #opened = new Map<number, Segment>();

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /** As of a log: `not_found` when the segment is gone, `corrupt` when there is no such record. */
  async openRecord(at: LogPosition, lengthHint: number): Promise<RecordReader> {
    const segment = await this.#pin(at.segment);
    return RecordReader.open(segment, at.offset, lengthHint);
  }

  /** As of a log. */
  openRecordNow(at: LogPosition, lengthHint: number): RecordReader | undefined {
    const segment = this.#opened.get(at.segment);
    return segment && RecordReader.openNow(segment, at.offset, lengthHint);
  }

  async #pin(id: number): Promise<Segment> {
    const segment = await this.#take(id);
    // Also when it was forgotten meanwhile: who forgot it is told after us that it is open, and only then lets go of it.
    segment.acquire();
    return segment;
  }

  #take(id: number): Promise<Segment> {
    let opening = this.#segments.get(id);
    this.#segments.delete(id);
    if (opening === undefined) {
      const begun = this.#open(id);
      begun.then(
        (segment) => {
          if (this.#segments.get(id) === begun) this.#opened.set(id, segment);
        },
        () => {
          if (this.#segments.get(id) === begun) this.#segments.delete(id);
        },
      );
      opening = begun;
    }
    this.#segments.set(id, opening);
    for (const oldest of this.#segments.keys()) {
      if (this.#segments.size <= limits.sharedSegmentsCountMax) break;
      this.forget(oldest);
    }
    return opening;
  }

  async #open(id: number): Promise<Segment> {
    const file = await this.#fs.open(join(this.#directory, segmentFileName(id)), 'read');
    if (file === undefined) throw new CairnError('not_found', `the log has no segment ${id}`);
    try {
      const area = new Uint8Array(segmentHeaderAreaBytes);
      const got = await file.read(area, 0);
      const header = decodeSegmentHeader(area.subarray(0, got));
      // It may grow: rows point only to what has been written.
      return new Segment(id, file, header?.segment === id ? header : undefined, Number.MAX_SAFE_INTEGER, false);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Closes a segment as soon as no record of it is held open. */
  forget(id: number): void {
    const opening = this.#segments.get(id);
    this.#segments.delete(id);
    this.#opened.delete(id);
    // What could not be opened is nothing to close, and an error of closing nobody's.
    opening?.then((segment) => segment.release()).catch(() => {});
  }

  close(): void {
    for (const id of [...this.#segments.keys()]) this.forget(id);
  }
}
