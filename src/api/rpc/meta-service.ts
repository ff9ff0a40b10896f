// cairn.v1.MetaService: the metadata itself, as its store has it. The gate lets admins in alone. What is asked for most is
// answered without knowing what asks: the general handler, or the lane.

import type { ServiceImpl } from '@connectrpc/connect';
import { CairnError } from '../../base/errors.js';
import type {
  CommitTxnRequest,
  GetKeyRequest,
  MetaService,
  RangeKeysRequest,
  WatchKeysRequest,
} from '../../gen/cairn/v1/meta_service_pb.js';
import type { KvStore } from '../../meta/kv.js';
import { answersInJson } from './batch-call.js';
import {
  eventRuns,
  fromMetaCompare,
  fromMetaOperation,
  fromMetaRange,
  fromPageFields,
  metaRoles,
  PageFitter,
  toMetaEvent,
  toMetaItem,
  toMetaResult,
} from './meta-messages.js';

export function metaCalls(kv: KvStore) {
  return {
    async getKey(request: GetKeyRequest) {
      const item = await kv.get(request.key, readOptions(request));
      if (item === undefined) throw new CairnError('not_found', 'there is no such key');
      return { item: toMetaItem(item) };
    },
    /** `json`: how the answer leaves. */
    async rangeKeys(request: RangeKeysRequest, json: boolean) {
      const options = { ...readOptions(request), ...fromPageFields(request) };
      const page = await kv.range(fromMetaRange(request.range), options);
      return { ...new PageFitter(json).fit(page), revision: BigInt(page.revision) };
    },
    async commitTxn({ compares, success, failure }: CommitTxnRequest, json: boolean) {
      const result = await kv.txn({
        compares: compares.map(fromMetaCompare),
        success: success.map(fromMetaOperation),
        failure: failure.map(fromMetaOperation),
      });
      const fitter = new PageFitter(json);
      return {
        succeeded: result.succeeded,
        revision: BigInt(result.revision),
        results: result.results.map((each) => toMetaResult(each, fitter)),
      };
    },
  };
}

export function metaService(kv: KvStore): ServiceImpl<typeof MetaService> {
  const calls = metaCalls(kv);
  return {
    getKey: calls.getKey,
    rangeKeys: (request, context) => calls.rangeKeys(request, answersInJson(context)),
    commitTxn: (request, context) => calls.commitTxn(request, answersInJson(context)),
    async countKeys(request) {
      return { count: BigInt(await kv.count(fromMetaRange(request.range), readOptions(request))) };
    },
    watchKeys: (request, context) => watchKeys(kv, request, answersInJson(context), context.signal),
    async compactHistory({ revision }) {
      await kv.compact(Number(revision));
      return {};
    },
    async getMetaStatus() {
      const status = await kv.status();
      return {
        engine: status.engine,
        nodeId: status.nodeId,
        role: metaRoles[status.role],
        term: BigInt(status.term),
        leaderId: status.leaderId ?? '',
        commitIndex: BigInt(status.commitIndex),
        appliedIndex: BigInt(status.appliedIndex),
        revision: BigInt(status.revision),
        peers: status.peers.map((peer) => ({
          nodeId: peer.nodeId,
          address: peer.address,
          nextIndex: BigInt(peer.nextIndex),
          matchIndex: BigInt(peer.matchIndex),
        })),
      };
    },
  };
}

async function* watchKeys(kv: KvStore, { range, from }: WatchKeysRequest, json: boolean, signal: AbortSignal) {
  const first = from === 0n ? (await kv.status()).revision + 1 : Number(from);
  for await (const { revision, events } of kv.watch(fromMetaRange(range), { from: first, signal })) {
    for (const [run, more] of eventRuns(events, json)) {
      yield { revision: BigInt(revision), events: run.map(toMetaEvent), more };
    }
  }
}

function readOptions({ stale, revision }: { stale: boolean; revision: bigint }) {
  return { stale, revision: revision === 0n ? undefined : Number(revision) };
}
