// One segment of the log: an open file, what its records are checked against, and where it ends. The log holds one
// reference and every reader one more; the file is closed when the last goes, so a removed segment stays readable for those
// who have it.

import { assert } from '../base/errors.js';
import type { OpenFile } from './file-system.js';
import { checksumOfSalt } from './record.js';
import { type SegmentHeader, segmentHeaderAreaBytes } from './segment-header.js';

export interface SegmentInfo {
  readonly id: number;
  /** Up to the segment's end, its header area included. */
  readonly bytes: number;
  /** No record is ever added. */
  readonly sealed: boolean;
}

const fileNamePattern = /^([0-9a-f]{16})\.log$/;

export function segmentFileName(id: number): string {
  return `${id.toString(16).padStart(16, '0')}.log`;
}

/** The segment a file name stands for; undefined for other files. */
export function parseSegmentFileName(name: string): number | undefined {
  const hex = fileNamePattern.exec(name)?.[1];
  const id = hex === undefined ? 0 : Number.parseInt(hex, 16);
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

export class Segment {
  /** Undefined when both copies of the header are damaged: then nothing in the segment can be read. */
  readonly saltChecksum: number | undefined;
  #references = 1;

  constructor(
    readonly id: number,
    readonly file: OpenFile,
    readonly header: SegmentHeader | undefined,
    /** Bytes up to here are records; whatever the file has behind it is not. */
    public end: number,
    public sealed: boolean,
  ) {
    this.saltChecksum = header === undefined ? undefined : checksumOfSalt(header.salt);
  }

  get info(): SegmentInfo {
    return { id: this.id, bytes: this.end, sealed: this.sealed };
  }

  get isEmpty(): boolean {
    return this.end <= segmentHeaderAreaBytes;
  }

  acquire(): void {
    assert(this.#references > 0, 'a closed segment is not taken again');
    this.#references++;
  }

  async release(): Promise<void> {
    assert(this.#references > 0, 'a segment is given back once');
    if (--this.#references === 0) await this.file.close();
  }
}
