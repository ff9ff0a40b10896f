// The records of one group commit as the pieces of one write. Heads and padding share one buffer; payloads go out from
// where the caller has them.

import { checksumBlocks } from './block-checksums.js';
import { encodeRecordHead, type NewRecord, type RecordPlace, recordBytes, recordHeadBytes } from './record.js';
import type { Segment } from './segment.js';

/** A record on its way into the log. */
export class PendingAppend {
  /** Of the whole record with its padding. */
  readonly length: number;
  readonly headBytes: number;
  /** Computed early: while the record waits, the disk is busy and the processor is not. */
  readonly table: Uint8Array;

  constructor(
    readonly record: NewRecord,
    readonly onDurable: (place: RecordPlace) => void,
    readonly resolve: () => void,
    readonly reject: (error: unknown) => void,
  ) {
    const { meta, payload } = record;
    this.length = recordBytes(meta.length, payload.length);
    this.headBytes = recordHeadBytes(meta.length, payload.length);
    this.table = checksumBlocks(payload);
  }

  get paddingBytes(): number {
    return this.length - this.headBytes - this.record.payload.length;
  }
}

/** The bytes of these records when they lie one after the other from the end of a segment on. */
export function encodeBatch(batch: readonly PendingAppend[], segment: Segment, saltChecksum: number): Uint8Array[] {
  let bytes = 0;
  for (const { length, record } of batch) bytes += length - record.payload.length;
  const heads = new Uint8Array(bytes);
  const view = new DataView(heads.buffer);
  const pieces: Uint8Array[] = [];
  let offset = segment.end;
  let at = 0;
  let pieceStart = 0;
  for (const pending of batch) {
    const { record, table, headBytes, paddingBytes, length } = pending;
    encodeRecordHead(view, at, record, table, saltChecksum, offset);
    at += headBytes;
    if (record.payload.length > 0) {
      pieces.push(heads.subarray(pieceStart, at), record.payload);
      pieceStart = at;
    }
    at += paddingBytes;
    offset += length;
  }
  if (pieceStart < at) pieces.push(heads.subarray(pieceStart, at));
  return pieces;
}
