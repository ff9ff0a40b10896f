// Frees what compaction has made superfluous, in the background and in small steps, so that nothing waits for it. The
// changes of a forgotten revision name the versions that they made superfluous: the one each took the place of and, for a
// deletion, the mark of the deletion itself. How far it came is a row of its own. Steps are durable in their order: of a
// deleted key, what an earlier step removed must not come back when a later one has removed the mark of the deletion.

import { limits } from '../base/limits.js';
import { rowsIn } from './read-rows.js';
import type { Row, RowChange, RowDb } from './row-db.js';
import {
  changeBounds,
  decodeChange,
  decodeSwept,
  encodeSwept,
  revisionOfChange,
  sweptKey,
  versionKey,
} from './rows.js';

export class Sweeper {
  readonly #db: RowDb;
  #target = 0;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(db: RowDb) {
    this.#db = db;
  }

  /** Frees what was superfluous at this revision, which must be compacted durably. */
  sweepTo(revision: number): void {
    if (revision <= this.#target || this.#isStopped) return;
    this.#target = revision;
    // A failure is left to the next compaction, or to the next start.
    this.#running ??= this.#sweep()
      .catch(() => {})
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #sweep(): Promise<void> {
    const [row] = await this.#db.getMany([sweptKey]);
    let swept = row === undefined ? 0 : decodeSwept(row);
    while (swept < this.#target && !this.#isStopped) swept = await this.#step(swept, this.#target);
  }

  /** Up to which revision all is swept now. */
  async #step(swept: number, target: number): Promise<number> {
    const rows: Row[] = [];
    for await (const some of rowsIn(this.#db, changeBounds(swept + 1, target + 1), false)) {
      rows.push(...some);
      if (rows.length >= limits.indexStepRowsMax) break;
    }
    const isLast = rows.length < limits.indexStepRowsMax;
    // The last revision of the step may have more changes.
    const reached = isLast ? target : revisionOfChange(rows.at(-1)![0]) - 1;
    const doomed = rows.flatMap(superfluous).map((key): RowChange => ({ key, value: undefined }));
    await this.#db.write([...doomed, { key: sweptKey, value: encodeSwept(reached) }]);
    return reached;
  }
}

/** Keys of rows that nobody reads any more once the change itself is forgotten, its own among them. */
function superfluous([rowKey, row]: Row): Uint8Array[] {
  const { key, previous, deleted } = decodeChange(rowKey, row);
  const doomed = [rowKey];
  if (previous > 0) doomed.push(versionKey(key, previous));
  if (deleted) doomed.push(versionKey(key, revisionOfChange(rowKey)));
  return doomed;
}
