// cairn meta export and import: all keys and values, a JSON line each, between a line that says what the file is and one that
// says that it is whole. Revisions do not travel: the store that imports gives its own. Nor do accounts: no server shows their
// secrets, and those of the store that imports stay as they are.

import { createReadStream } from 'node:fs';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compareKeys, everyKey, isOfAccounts } from '../meta/keys.js';
import type { KvStore, Operation } from '../meta/kv.js';
import { unreadable } from './file-chunks.js';
import { bytesOf, fieldsOf, parseJson, showBytes } from './meta-text.js';
import { entries } from './name-list.js';

const format = 'cairn metadata 1';

interface Pair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The lines of an export, all of one revision. */
export async function* exportLines(kv: KvStore): AsyncGenerator<string> {
  let count = 0;
  let revision: number | undefined;
  let after: Uint8Array | undefined;
  for (let more = true; more; ) {
    const page = await kv.range(everyKey, { after, revision });
    if (revision === undefined) yield JSON.stringify({ format, revision: page.revision });
    for (const { key, value } of page.items) {
      if (isOfAccounts(key)) continue;
      yield JSON.stringify({ key: showBytes(key), value: showBytes(value) });
      count += 1;
    }
    ({ more, revision } = page);
    after = page.items.at(-1)?.key ?? after;
  }
  yield JSON.stringify({ end: count });
}

export interface ImportSummary {
  put: number;
  deleted: number;
}

/**
 * Makes the store hold what the file says, and nothing else: keys of the file are put, others deleted, in order, in as few
 * transactions as may be. The file is read twice; nothing is done before all of it was found good (`invalid_argument`).
 */
export async function importFile(kv: KvStore, path: string, signal: AbortSignal): Promise<ImportSummary> {
  for await (const _pair of readPairs(path)) refuseWhenAborted(signal);
  const summary: ImportSummary = { put: 0, deleted: 0 };
  const writer = new TxnWriter(kv);
  const present = keysOf(kv);
  let old = await present.next();
  const deleteOld = async (key: Uint8Array) => {
    await writer.add({ kind: 'delete', range: { start: key } });
    summary.deleted += 1;
    old = await present.next();
  };
  for await (const { key, value } of readPairs(path)) {
    refuseWhenAborted(signal);
    while (!old.done && compareKeys(old.value, key) < 0) await deleteOld(old.value);
    if (!old.done && compareKeys(old.value, key) === 0) old = await present.next();
    await writer.add({ kind: 'put', key, value });
    summary.put += 1;
  }
  while (!old.done) await deleteOld(old.value);
  await writer.end();
  return summary;
}

/** In order, each key once, and the file whole, or `invalid_argument`. */
async function* readPairs(path: string): AsyncGenerator<Pair> {
  let lineNumber = 0;
  let last: Uint8Array | undefined;
  let isWhole = false;
  const wrong = (words: string) =>
    new CairnError('invalid_argument', `line ${lineNumber} of ${JSON.stringify(path)} ${words}`);
  for await (const line of entries(openFile(path), '\n')) {
    lineNumber += 1;
    const fields = fieldsOf(parseJson(line), `line ${lineNumber}`);
    if (lineNumber === 1) {
      if (fields.format !== format) throw wrong('does not begin an export of metadata');
    } else if (isWhole) {
      throw wrong('stands behind the end');
    } else if ('end' in fields) {
      if (fields.end !== lineNumber - 2) throw wrong('tells another number of keys');
      isWhole = true;
    } else {
      const key = bytesOf(fields, 'key');
      if (last !== undefined && compareKeys(last, key) >= 0) throw wrong('is out of order');
      if (isOfAccounts(key)) throw wrong('is about accounts, which stay where they were made');
      last = key;
      yield { key, value: bytesOf(fields, 'value') };
    }
  }
  if (!isWhole) throw wrong('is the last, and does not say that it is the end');
}

async function* openFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Every key, in order. Keys that come and go meanwhile behind the reader's back are not ours to know. */
async function* keysOf(kv: KvStore): AsyncGenerator<Uint8Array, undefined> {
  let after: Uint8Array | undefined;
  for (let more = true; more; ) {
    const page = await kv.range(everyKey, { after, keysOnly: true });
    for (const { key } of page.items) if (!isOfAccounts(key)) yield key;
    after = page.items.at(-1)?.key ?? after;
    ({ more } = page);
  }
  return undefined;
}

/** Gathers operations into transactions. */
class TxnWriter {
  readonly #kv: KvStore;
  #operations: Operation[] = [];
  #bytes = 0;

  constructor(kv: KvStore) {
    this.#kv = kv;
  }

  async add(operation: Operation): Promise<void> {
    const bytes = operation.kind === 'put' ? operation.key.length + operation.value.length : limits.kvKeyBytesMax;
    const isFull = this.#operations.length === limits.kvOperationsCountMax;
    if (isFull || this.#bytes + bytes + limits.kvOperationBytes > limits.kvTxnBytesMax) await this.end();
    this.#operations.push(operation);
    this.#bytes += bytes + limits.kvOperationBytes;
  }

  async end(): Promise<void> {
    if (this.#operations.length > 0) await this.#kv.txn({ success: this.#operations });
    this.#operations = [];
    this.#bytes = 0;
  }
}

function refuseWhenAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new CairnError('canceled', 'canceled');
}
