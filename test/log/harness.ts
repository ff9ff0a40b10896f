// What the tests of the log share: a log in a directory of a fake file system, and records that say who they are.

import type { Durability } from '../../src/base/blob-store.js';
import { systemClock } from '../../src/base/clock.js';
import type { FileSystem } from '../../src/log/file-system.js';
import { Log, type LogParts } from '../../src/log/log.js';
import type { LogPosition, NewRecord, RecordPlace, ScannedRecord } from '../../src/log/record.js';
import { seededRandom } from '../support/random.js';

export const directory = '/data/log';
export const segmentPath = (id: number): string => `${directory}/${id.toString(16).padStart(16, '0')}.log`;

export interface OpenedLog {
  readonly log: Log;
  readonly visited: ScannedRecord[];
}

export async function openLog(
  fs: FileSystem,
  options: Partial<LogParts> & { from?: LogPosition | undefined; durability?: Durability; seed?: number } = {},
): Promise<OpenedLog> {
  const { from, seed = 1, ...parts } = options;
  const visited: ScannedRecord[] = [];
  const random = seededRandom(seed);
  const log = await Log.open(
    { fs, directory, durability: 'disk', segmentBytesTarget: 2 ** 20, random, clock: systemClock, ...parts },
    from,
    (record) => void visited.push(record),
  );
  return { log, visited };
}

/** A record whose meta is its number and whose payload can be told from all others. */
export function numbered(id: number, payloadBytes = 100): NewRecord {
  const meta = new Uint8Array(4);
  new DataView(meta.buffer).setUint32(0, id, true);
  return { type: 1 + (id % 3), version: 1, meta, payload: payloadOf(id, payloadBytes) };
}

export function payloadOf(id: number, payloadBytes: number): Uint8Array {
  return seededRandom(id).bytes(payloadBytes);
}

export function idOf(record: { readonly meta: Uint8Array }): number {
  const { meta } = record;
  return new DataView(meta.buffer, meta.byteOffset, meta.length).getUint32(0, true);
}

export const idsOf = (records: readonly { readonly meta: Uint8Array }[]): number[] => records.map(idOf);

export async function append(log: Log, record: NewRecord): Promise<RecordPlace> {
  let at: RecordPlace | undefined;
  await log.append(record, (place) => {
    at = place;
  });
  return at!;
}

/** The whole payload of the record at a place, through a reader of its own. */
export async function readPayload(log: Log, place: RecordPlace): Promise<Uint8Array> {
  const reader = await log.openRecord(place, place.length);
  try {
    return await reader.read({ start: 0, end: reader.payloadBytes });
  } finally {
    await reader.close();
  }
}
