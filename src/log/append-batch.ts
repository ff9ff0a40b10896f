// The records of one group commit as the pieces of one write. Heads, padding and small payloads are gathered in one
// buffer, which is used again for the next commit; larger payloads go out from where the caller has them.

import { limits } from '../base/limits.js';
import { encodeRecordHead, type NewRecord, type RecordPlace, recordBytes, recordHeadBytes } from './record.js';
import type { Segment } from './segment.js';

/** Who is told what becomes of records. Called in log order; `index` is the one the record was handed over with. */
export interface AppendWitness {
  /** What it throws as a `CairnError` is told to `failed`; the record stays in the log all the same. */
  durable(index: number, place: RecordPlace): void;
  failed(index: number, error: unknown): void;
}

/** A record on its way into the log. */
export class PendingAppend {
  /** Of the whole record with its padding. */
  readonly length: number;

  constructor(
    readonly record: NewRecord,
    readonly witness: AppendWitness,
    readonly index: number,
  ) {
    this.length = recordBytes(record.meta.length, record.payload.length);
  }

  get headBytes(): number {
    return recordHeadBytes(this.record.meta.length, this.record.payload.length);
  }
}

export class BatchEncoder {
  #gathered = new Uint8Array(0);
  #view = new DataView(this.#gathered.buffer);

  /**
   * The bytes of these records when they lie one after the other from the end of a segment on. To be written before the
   * next call.
   */
  encode(batch: readonly PendingAppend[], segment: Segment, saltChecksum: number): Uint8Array[] {
    this.#makeRoom(batch);
    const gathered = this.#gathered;
    const pieces: Uint8Array[] = [];
    let offset = segment.end;
    let at = 0;
    let pieceStart = 0;
    for (const pending of batch) {
      const { record, headBytes, length } = pending;
      const { payload } = record;
      encodeRecordHead(this.#view, at, record, saltChecksum, offset);
      at += headBytes;
      if (isGathered(payload)) {
        gathered.set(payload, at);
        at += payload.length;
      } else {
        pieces.push(gathered.subarray(pieceStart, at), payload);
        pieceStart = at;
      }
      const end = at + length - headBytes - payload.length;
      while (at < end) gathered[at++] = 0;
      offset += length;
    }
    if (pieceStart < at) pieces.push(gathered.subarray(pieceStart, at));
    return pieces;
  }

  #makeRoom(batch: readonly PendingAppend[]): void {
    let bytes = 0;
    for (const { length, record } of batch)
      bytes += isGathered(record.payload) ? length : length - record.payload.length;
    if (bytes <= this.#gathered.length) return;
    this.#gathered = new Uint8Array(Math.min(2 * bytes, Math.max(bytes, limits.groupCommitBytesMax)));
    this.#view = new DataView(this.#gathered.buffer);
  }
}

function isGathered(payload: Uint8Array): boolean {
  return payload.length <= limits.gatheredPayloadBytesMax;
}
