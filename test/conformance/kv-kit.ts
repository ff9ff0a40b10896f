// What the parts of the metadata suite share. Tests of one store may share its keys with others that ran before: each works
// below a prefix of its own, and takes no revision for the first.

import { expect, it } from 'vitest';
import { type ErrorCode, errorCode } from '../../src/base/errors.js';
import { connect } from '../../src/client/client.js';
import { prefixRange, textKey } from '../../src/meta/keys.js';
import type { KeyRange, KeyValue, KvEvent, KvStore, Operation, WatchBatch } from '../../src/meta/kv.js';

export interface OpenedKv {
  readonly kv: KvStore;
  /** Closes the store and opens what it left behind again. The store given before is not used after it. */
  reopen?(): Promise<KvStore>;
  /** Closes the newest store, which may be closed already. */
  close(): Promise<void>;
}

/** The store of the server at this address, over MetaService; the server stays the caller's. */
export async function openRemoteKv(url: string): Promise<OpenedKv> {
  const client = connect(url);
  const kv = await client.metadata();
  return {
    kv,
    async close() {
      await kv.close();
      client.close();
    },
  };
}

export interface KvUnderTest {
  readonly name: string;
  readonly open: () => Promise<OpenedKv>;
}

export interface KvTest extends OpenedKv {
  /** A key below this test's prefix. */
  key(name: string): Uint8Array;
  /** The part of a key behind this test's prefix. */
  nameOf(key: Uint8Array): string;
  /** All keys of this test whose names begin so. */
  all(prefix?: string): KeyRange;
}

let tests = 0;

export function itOn(subject: KvUnderTest, name: string, body: (test: KvTest) => Promise<void>): void {
  it(name, async () => {
    const prefix = `${process.pid}-${tests++}/`;
    const opened = await subject.open();
    const key = (name: string) => textKey(prefix + name);
    try {
      await body({
        ...opened,
        key,
        nameOf: (key) => text(key).slice(prefix.length),
        all: (name = '') => prefixRange(key(name)),
      });
    } finally {
      await opened.close();
    }
  });
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

export const put = (key: Uint8Array, value = ''): Operation => ({ kind: 'put', key, value: textKey(value) });

export const del = (range: KeyRange): Operation => ({ kind: 'delete', range });

/** The revision of one put. */
export async function putOne(kv: KvStore, key: Uint8Array, value = ''): Promise<number> {
  return (await kv.txn({ success: [put(key, value)] })).revision;
}

export async function deleteOne(kv: KvStore, key: Uint8Array): Promise<number> {
  return (await kv.txn({ success: [del({ start: key })] })).revision;
}

export async function textAt(kv: KvStore, key: Uint8Array): Promise<string | undefined> {
  const found = await kv.get(key);
  return found && text(found.value);
}

export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  const outcome = await work.then(
    () => 'no error',
    (error) => errorCode(error),
  );
  expect(outcome).toBe(code);
}

/** The next so many batches of a watch, which goes on. */
export async function take(watch: AsyncIterator<WatchBatch>, count: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  while (batches.length < count) {
    const next = await watch.next();
    if (next.done === true) throw new Error('the watch ended');
    batches.push(next.value);
  }
  return batches;
}

export function iterate(watch: AsyncIterable<WatchBatch>): AsyncIterator<WatchBatch> {
  return watch[Symbol.asyncIterator]();
}

/** An item as a line: `name=value @create..revision v`. */
export function itemLine({ nameOf }: Pick<KvTest, 'nameOf'>, item: KeyValue): string {
  return `${nameOf(item.key)}=${text(item.value)} @${item.createRevision}..${item.revision} v${item.version}`;
}

export function eventLine(test: Pick<KvTest, 'nameOf'>, event: KvEvent): string {
  if (event.kind === 'put') return `put ${itemLine(test, event.item)}`;
  return `delete ${test.nameOf(event.key)} @${event.revision}`;
}
