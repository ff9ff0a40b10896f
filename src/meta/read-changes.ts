// What happened to a span of keys, from the lists of changes that revisions left.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { isInSpan, type KeySpan } from './keys.js';
import type { KvEvent, WatchBatch } from './kv.js';
import { rowsIn } from './read-rows.js';
import type { RowReader } from './row-db.js';
import { changeBounds, decodeChange, decodeVersion, revisionOfChange, versionKey } from './rows.js';

export interface Changes {
  /** One for each revision that changed something there, in order. */
  readonly batches: readonly WatchBatch[];
  /** Up to this revision nothing is missing. */
  readonly through: number;
}

interface FoundChange {
  readonly revision: number;
  readonly key: Uint8Array;
  readonly deleted: boolean;
}

/** Changes of revisions `from` to `to`, or some of the first of them. `corrupt` when they are no longer all there. */
export async function readChanges(reader: RowReader, from: number, to: number, span: KeySpan): Promise<Changes> {
  const { found, through } = await findChanges(reader, from, to, span);
  const puts = found.filter(({ deleted }) => !deleted).map(({ key, revision }) => versionKey(key, revision));
  const rows = puts.length === 0 ? [] : await reader.getMany(puts);
  const batches: { revision: number; events: KvEvent[] }[] = [];
  let nextPut = 0;
  for (const { key, revision, deleted } of found) {
    if (batches.at(-1)?.revision !== revision) batches.push({ revision, events: [] });
    const { events } = batches.at(-1)!;
    if (deleted) {
      events.push({ kind: 'delete', key, revision });
      continue;
    }
    const row = rows[nextPut];
    if (row === undefined) throw new CairnError('corrupt', 'the metadata lacks the value of a change');
    const { createRevision, version, value } = decodeVersion(puts[nextPut++]!, row);
    events.push({ kind: 'put', item: { key, value, createRevision, revision, version } });
  }
  return { batches, through };
}

/** Whole revisions, until there are enough. */
async function findChanges(
  reader: RowReader,
  from: number,
  to: number,
  span: KeySpan,
): Promise<{ found: FoundChange[]; through: number }> {
  const found: FoundChange[] = [];
  let seen = 0;
  let last = from;
  for await (const rows of rowsIn(reader, changeBounds(from, to + 1), false)) {
    for (const [rowKey, row] of rows) {
      const revision = revisionOfChange(rowKey);
      const isEnough = found.length >= limits.kvValuesReadCountMax || seen >= limits.indexStepRowsMax;
      if (isEnough && revision !== last) return { found, through: revision - 1 };
      const { key, deleted } = decodeChange(rowKey, row);
      if (isInSpan(key, span)) found.push({ revision, key, deleted });
      last = revision;
      seen += 1;
    }
  }
  return { found, through: to };
}
