// A watch of an etcd cluster that outlives connections, members and leaders: it goes on behind the last revision that it
// handed out, on the next member, for as long as it takes. If that has been compacted meanwhile, it fails with `out_of_range`.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { CairnError, type CairnError as Failure } from '../base/errors.js';
import type { WatchRequestSchema, WatchResponse } from '../gen/etcd/etcdserverpb_pb.js';
import { type EtcdClient, type EtcdConnection, etcdError } from './etcd-client.js';
import { etcdRange, kvEvent } from './etcd-messages.js';
import { compareKeys } from './keys.js';
import type { KeyRange, KvEvent, WatchBatch, WatchOptions } from './kv.js';

export async function* watchEtcd(
  client: EtcdClient,
  prefix: Uint8Array,
  range: KeyRange,
  { from, signal }: WatchOptions,
): AsyncGenerator<WatchBatch, never> {
  const refuseWhenOver = () => {
    if (signal?.aborted) throw new CairnError('canceled', 'the watch was canceled');
    client.refuseWhenClosed();
  };
  let next = from;
  for (let failures = 0; ; failures++) {
    refuseWhenOver();
    const { connection } = client;
    const stop = new AbortController();
    const end = () => stop.abort();
    signal?.addEventListener('abort', end);
    client.closing.addEventListener('abort', end);
    try {
      for await (const { batches, seen } of readStream(connection, prefix, range, next, stop.signal)) {
        failures = 0;
        for (const batch of batches) {
          refuseWhenOver();
          yield batch;
          next = batch.revision + 1;
        }
        next = Math.max(next, seen + 1);
      }
    } catch (error) {
      refuseWhenOver();
      const failure = etcdError(error);
      if (!isPassing(failure)) throw failure;
      client.leave(connection);
    } finally {
      end();
      signal?.removeEventListener('abort', end);
      client.closing.removeEventListener('abort', end);
    }
    await client.pause(failures);
  }
}

function isPassing({ code }: Failure): boolean {
  return code === 'unavailable' || code === 'timeout' || code === 'overloaded';
}

/** What one response completes, and the revision up to which nothing more will come. */
interface Progress {
  readonly batches: readonly WatchBatch[];
  readonly seen: number;
}

async function* readStream(
  connection: EtcdConnection,
  prefix: Uint8Array,
  range: KeyRange,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  // etcd lets a watch begin at the very revision that was compacted, although deletions of that revision may be gone. So we
  // ask from the one before, which it refuses then. It knows no revision 0: that would mean the present.
  const startRevision = BigInt(Math.max(1, from - 1));
  const create = { ...etcdRange(prefix, range), startRevision, progressNotify: true, fragment: true };
  const assembler = new BatchAssembler(prefix, from);
  for await (const response of connection.watch.watch(askOnce(create, signal), { signal })) {
    if (response.compactRevision > 0n) {
      throw new CairnError('out_of_range', `revision ${from} has been compacted`);
    }
    if (response.canceled) throw new CairnError('unavailable', `etcd ended the watch: ${response.cancelReason}`);
    yield assembler.add(response);
  }
}

type WatchCreate = Extract<
  NonNullable<MessageInitShape<typeof WatchRequestSchema>['requestUnion']>,
  { case: 'createRequest' }
>['value'];

/** One request, and then silence until the end: a stream of requests that ends ends the watch. */
async function* askOnce(
  value: WatchCreate,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof WatchRequestSchema>> {
  yield { requestUnion: { case: 'createRequest', value } };
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Puts revisions together again that etcd has cut. */
class BatchAssembler {
  readonly #prefix: Uint8Array;
  readonly #from: number;
  #open: { revision: number; events: KvEvent[] } | undefined;

  constructor(prefix: Uint8Array, from: number) {
    this.#prefix = prefix;
    this.#from = from;
  }

  add(response: WatchResponse): Progress {
    const batches: WatchBatch[] = [];
    for (const message of response.events) {
      const event = kvEvent(this.#prefix, message);
      const revision = event?.kind === 'put' ? event.item.revision : (event?.revision ?? 0);
      if (event === undefined || revision < this.#from) continue;
      if (this.#open?.revision !== revision) {
        this.#closeInto(batches);
        this.#open = { revision, events: [] };
      }
      this.#open.events.push(event);
    }
    if (!response.fragment) this.#closeInto(batches);
    // A response without events tells how far the member is, unless it is the first: a watch may begin behind it.
    const isProgress = response.events.length === 0 && !response.created && !response.fragment;
    return { batches, seen: isProgress ? Number(response.header?.revision ?? 0n) : 0 };
  }

  #closeInto(batches: WatchBatch[]): void {
    if (this.#open === undefined) return;
    this.#open.events.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
    batches.push(this.#open);
    this.#open = undefined;
  }
}

function keyOf(event: KvEvent): Uint8Array {
  return event.kind === 'put' ? event.item.key : event.key;
}
