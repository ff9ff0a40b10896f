// A node's Raft log on disk, in the record log that also holds blobs elsewhere. Each batch of the core is one record, so it
// is there as a whole or not at all, and group commit shares its sync. Every record brings the hard state along; so the
// oldest segments may go as soon as their entries have been forgotten in a later one. docs/FORMATS.md has the bytes.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type LogRecord, LogRecordSchema } from '../../gen/cairn/raft/v1/raft_pb.js';
import { Log, type LogParts } from '../../log/log.js';
import type { ScannedRecord } from '../../log/record.js';
import type { RaftStorage } from '../../raft/driver-parts.js';
import type { Entry, HardState } from '../../raft/entry.js';
import type { LogBase, WriteBatch } from '../../raft/raft-core.js';
import type { StoredLog } from '../../raft/recovery.js';
import { entryMessage, entryOf, hardStateMessage, hardStateOf, safeNumber } from './raft-messages.js';

const recordType = 1;
const recordVersion = 1;

export class RaftLogStore implements RaftStorage {
  readonly #log: Log;
  /** The greatest index of an entry in each segment. */
  readonly #lastIndexes: Map<number, number>;
  #hardState: HardState;
  #removing: Promise<void> = Promise.resolve();

  private constructor(log: Log, lastIndexes: Map<number, number>, hardState: HardState) {
    this.#log = log;
    this.#lastIndexes = lastIndexes;
    this.#hardState = hardState;
  }

  /** What the disk holds; `stored` is undefined in an empty directory. `corrupt` when something in between is missing. */
  static async open(
    parts: Omit<LogParts, 'durability' | 'segmentBytesTarget' | 'onDamage'>,
  ): Promise<{ readonly store: RaftLogStore; readonly stored: StoredLog | undefined }> {
    const found: ScannedRecord[] = [];
    let damage: CairnError | undefined;
    const log = await Log.open(
      {
        ...parts,
        durability: 'disk',
        segmentBytesTarget: limits.raftSegmentBytesTarget,
        onDamage: ({ segment, start }) => {
          damage ??= new CairnError('corrupt', `segment ${segment} of the Raft log is damaged at ${start}`);
        },
      },
      undefined,
      (record) => void found.push(record),
    );
    try {
      if (damage !== undefined) throw damage;
      const recovered = new RecoveredLog();
      const lastIndexes = new Map<number, number>();
      for (const record of found) {
        const { segment } = record.place;
        const last = recovered.add(await readRecord(log, record));
        lastIndexes.set(segment, Math.max(last, lastIndexes.get(segment) ?? 0));
      }
      const { stored } = recovered;
      const store = new RaftLogStore(log, lastIndexes, stored?.hardState ?? { term: 0, vote: 0, commit: 0 });
      return { store, stored };
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** The first record of a new node, or of one whose log is void: nothing before the base counts. */
  begin({ hardState, base }: StoredLog): Promise<void> {
    return this.#append({ hardState, entries: [], snapshot: base });
  }

  write({ hardState, entries, snapshot }: WriteBatch, done: (error?: CairnError) => void): void {
    this.#append({ hardState, entries, snapshot }).then(
      () => done(),
      (error: unknown) => done(error as CairnError),
    );
  }

  forget(base: LogBase): void {
    // One after the other; what fails now, for want of space say, is done with the next.
    const written = this.#append({ hardState: this.#hardState, entries: [], forgotten: base });
    this.#removing = Promise.all([written, this.#removing])
      .then(() => this.#removeSegments(base.index))
      .catch(() => {});
  }

  async close(): Promise<void> {
    await this.#removing;
    await this.#log.close();
  }

  async #append(record: {
    readonly hardState: HardState;
    readonly entries: readonly Entry[];
    readonly snapshot?: LogBase | undefined;
    readonly forgotten?: LogBase | undefined;
  }): Promise<void> {
    const { hardState, entries, snapshot, forgotten } = record;
    this.#hardState = hardState;
    const payload = toBinary(
      LogRecordSchema,
      create(LogRecordSchema, {
        hardState: hardStateMessage(hardState),
        entries: entries.map(entryMessage),
        ...(snapshot && { snapshot: baseMessage(snapshot) }),
        ...(forgotten && { forgotten: baseMessage(forgotten) }),
      }),
    );
    const last = entries.at(-1)?.index ?? 0;
    await this.#log.append({ type: recordType, version: recordVersion, meta: noBytes, payload }, ({ segment }) => {
      this.#lastIndexes.set(segment, Math.max(last, this.#lastIndexes.get(segment) ?? 0));
    });
  }

  async #removeSegments(forgottenIndex: number): Promise<void> {
    for (const { id, sealed } of this.#log.segments()) {
      if (!sealed || (this.#lastIndexes.get(id) ?? 0) > forgottenIndex) return;
      await this.#log.remove(id);
      this.#lastIndexes.delete(id);
    }
  }
}

const noBytes = new Uint8Array(0);

function baseMessage({ index, term }: LogBase) {
  return { index: BigInt(index), term: BigInt(term) };
}

function baseOf({ index, term }: { index: bigint; term: bigint }): LogBase {
  return { index: safeNumber(index), term: safeNumber(term) };
}

async function readRecord(log: Log, { place, type, version, payloadBytes }: ScannedRecord): Promise<LogRecord> {
  if (type !== recordType || version !== recordVersion) {
    throw new CairnError('corrupt', `the Raft log has a record of type ${type} and version ${version}`);
  }
  const reader = await log.openRecord(place, place.length);
  try {
    const pieces: Uint8Array[] = [];
    for (let start = 0; start < payloadBytes; start += limits.readBytesMax) {
      pieces.push(await reader.read({ start, end: Math.min(start + limits.readBytesMax, payloadBytes) }));
    }
    return fromBinary(LogRecordSchema, Buffer.concat(pieces));
  } finally {
    await reader.close();
  }
}

/** What records, taken in order, leave of the log. */
class RecoveredLog {
  #hardState: HardState | undefined;
  #base: LogBase = { index: 0, term: 0 };
  #entries: Entry[] = [];

  /** Answers the index of its last entry, or 0. */
  add({ hardState, entries, snapshot, forgotten }: LogRecord): number {
    if (hardState === undefined) throw new CairnError('corrupt', 'a record of the Raft log has no hard state');
    this.#hardState = hardStateOf(hardState);
    if (snapshot !== undefined) {
      this.#base = baseOf(snapshot);
      this.#entries = [];
    }
    if (forgotten !== undefined && safeNumber(forgotten.index) > this.#base.index) this.#base = baseOf(forgotten);
    for (const entry of entries.map(entryOf)) this.#put(entry);
    return entries.length === 0 ? 0 : safeNumber(entries.at(-1)!.index);
  }

  #put(entry: Entry): void {
    const first = this.#entries[0]?.index ?? entry.index;
    const at = entry.index - first;
    // Behind a gap begins what is left of the log; what lies before has been forgotten, as a later record says.
    if (at < 0 || at > this.#entries.length) this.#entries = [];
    else this.#entries.length = at;
    this.#entries.push(entry);
  }

  /** Undefined when there were no records. */
  get stored(): StoredLog | undefined {
    if (this.#hardState === undefined) return undefined;
    const base = this.#base;
    return { hardState: this.#hardState, base, entries: this.#entries.filter(({ index }) => index > base.index) };
  }
}
