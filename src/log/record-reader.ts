// One record held open. Its head was checked when it was opened; each read checks the blocks it touches. A small record
// comes into memory with its head, by one read of the file.

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { SpareBuffers } from '../base/spare-buffers.js';
import { verifyBlocks } from './block-checksums.js';
import {
  decodeRecordHeader,
  headIsValid,
  type RecordHeader,
  recordBytes,
  recordHeadBytes,
  recordHeaderBytes,
} from './record.js';
import type { Segment } from './segment.js';

const { blockBytes } = limits;

/** For small records, whose bytes are copied out of it. */
const spares = new SpareBuffers(limits.spareRecordBytes, limits.spareRecordsCountMax);

export class RecordReader {
  readonly type: number;
  readonly version: number;
  readonly meta: Uint8Array;
  readonly payloadBytes: number;
  /** Where the payload starts in its file. */
  readonly payloadOffset: number;
  readonly #segment: Segment;
  readonly #table: Uint8Array;
  /** The whole payload, until it is given away. */
  #payload: Uint8Array | undefined;
  /** What the record lies in, when that is to be used again. */
  #lent: Uint8Array | undefined;
  #closing: Promise<void> | undefined;

  /** `head` is checked; `bytes` starts with it and holds as much of the payload as came with it. */
  private constructor(segment: Segment, offset: number, header: RecordHeader, bytes: Uint8Array) {
    const { type, version, metaBytes, payloadBytes } = header;
    const headBytes = recordHeadBytes(metaBytes, payloadBytes);
    this.type = type;
    this.version = version;
    this.meta = bytes.subarray(recordHeaderBytes, recordHeaderBytes + metaBytes);
    this.payloadBytes = payloadBytes;
    this.payloadOffset = offset + headBytes;
    this.#segment = segment;
    this.#table = bytes.subarray(recordHeaderBytes + metaBytes, headBytes);
    if (bytes.length >= headBytes + payloadBytes) this.#payload = bytes.subarray(headBytes, headBytes + payloadBytes);
  }

  /** Takes over the caller's reference to the segment; gives it back on failure too. */
  static async open(segment: Segment, offset: number, lengthHint: number): Promise<RecordReader> {
    try {
      const { header, bytes } = await readHead(segment, offset, lengthHint);
      return new RecordReader(segment, offset, header, bytes);
    } catch (error) {
      await segment.release();
      throw error;
    }
  }

  /** The same at once, for a record of which the whole comes with one read; undefined where `open` has to be asked. */
  static openNow(segment: Segment, offset: number, lengthHint: number): RecordReader | undefined {
    const { saltChecksum, file } = segment;
    const length = firstReadBytes(segment, offset, lengthHint);
    if (file.readNow === undefined || saltChecksum === undefined || length > limits.promptReadBytesMax)
      return undefined;
    const lent = length <= limits.spareRecordBytes ? spares.take() : undefined;
    const bytes = lent?.subarray(0, length) ?? newBytes(length);
    const header = file.readNow(bytes, offset) === length ? wholeRecord(bytes, saltChecksum, offset) : undefined;
    if (header === undefined) {
      if (lent !== undefined) spares.give(lent);
      return undefined;
    }
    segment.acquire();
    const reader = new RecordReader(segment, offset, header, bytes);
    reader.#lent = lent;
    return reader;
  }

  /** The file's descriptor, or −1 where there is none. */
  get fd(): number {
    return this.#segment.file.fd;
  }

  /**
   * The verified bytes of a range that lies inside the payload; `corrupt` when a block is damaged. The bytes are the
   * caller's, or lie in `scratch`. At least every touched block is read, so large payloads are best read in large ranges.
   */
  async read(range: ByteRange, scratch?: Uint8Array): Promise<Uint8Array> {
    const { start, end } = range;
    assert(this.#closing === undefined, 'a closed record is not read');
    assert(start >= 0 && start <= end && end <= this.payloadBytes, 'a read lies inside its record');
    if (start === end) return new Uint8Array(0);
    const firstBlock = Math.floor(start / blockBytes);
    const from = firstBlock * blockBytes;
    const to = Math.min(Math.ceil(end / blockBytes) * blockBytes, this.payloadBytes);
    const kept = this.#payload;
    if (this.#lent === undefined && start === 0 && end === this.payloadBytes) this.#payload = undefined;
    const blocks = kept?.subarray(from, to) ?? (await readUpTo(this.#segment, this.payloadOffset + from, to - from));
    verifyBlocks(blocks, this.#table.subarray(4 * firstBlock), this.#name(), to - from);
    const bytes = blocks.subarray(start - from, end - from);
    return this.#payload === undefined ? bytes : copyOf(bytes, scratch);
  }

  /** May be called again. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      if (this.#lent !== undefined) spares.give(this.#lent);
      this.#payload = undefined;
      this.#closing = this.#segment.release();
    }
    return this.#closing;
  }

  #name(): string {
    return nameOf(this.#segment, this.payloadOffset);
  }
}

/** The header of a record all of which is there; undefined for anything else. */
function wholeRecord(bytes: Uint8Array, saltChecksum: number, offset: number): RecordHeader | undefined {
  const header = decodeRecordHeader(bytes, 0);
  if (header === undefined) return undefined;
  const headBytes = recordHeadBytes(header.metaBytes, header.payloadBytes);
  if (headBytes + header.payloadBytes > bytes.length) return undefined;
  return headIsValid(bytes.subarray(0, headBytes), saltChecksum, offset) ? header : undefined;
}

function copyOf(bytes: Uint8Array, scratch: Uint8Array | undefined): Uint8Array {
  if (scratch === undefined || scratch.length < bytes.length) return bytes.slice();
  scratch.set(bytes);
  return scratch.subarray(0, bytes.length);
}

async function readHead(
  segment: Segment,
  offset: number,
  lengthHint: number,
): Promise<{ header: RecordHeader; bytes: Uint8Array }> {
  const { saltChecksum } = segment;
  if (saltChecksum === undefined) throw new CairnError('corrupt', `the header of ${segment.file.path} is damaged`);
  const room = segment.end - offset;
  let bytes = await readUpTo(segment, offset, firstReadBytes(segment, offset, lengthHint));
  const header = decodeRecordHeader(bytes, 0);
  if (header === undefined || recordBytes(header.metaBytes, header.payloadBytes) > room) {
    throw new CairnError('corrupt', `no record at ${nameOf(segment, offset)}`);
  }
  const headBytes = recordHeadBytes(header.metaBytes, header.payloadBytes);
  if (bytes.length < headBytes) bytes = await readUpTo(segment, offset, headBytes);
  if (bytes.length < headBytes || !headIsValid(bytes.subarray(0, headBytes), saltChecksum, offset)) {
    throw new CairnError('corrupt', `the record at ${nameOf(segment, offset)} is damaged`);
  }
  return { header, bytes };
}

function firstReadBytes({ end }: Segment, offset: number, lengthHint: number): number {
  return Math.max(recordHeaderBytes, Math.min(lengthHint, limits.recordFirstReadBytesMax, end - offset));
}

/** Not zeroed, since they are filled; not from the shared pool, since they are given away. */
function newBytes(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

/** Fewer bytes only at the end of the file. */
async function readUpTo(segment: Segment, position: number, length: number): Promise<Uint8Array> {
  const bytes = newBytes(length);
  const got = await segment.file.read(bytes, position);
  return got === length ? bytes : bytes.subarray(0, got);
}

function nameOf(segment: Segment, offset: number): string {
  return `${segment.file.path}, byte ${offset}`;
}
