// Our words for etcd's, and back. etcd writes "no end" as a single zero byte, and gives revisions as 64-bit numbers; ours stay
// far below 2⁵³.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { limits } from '../base/limits.js';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type RangeRequestSchema,
  type RequestOpSchema,
  type ResponseOp,
} from '../gen/etcd/etcdserverpb_pb.js';
import { type KeyValue as EtcdKeyValue, type Event, Event_EventType } from '../gen/etcd/mvccpb_pb.js';
import { spanOf } from './keys.js';
import type {
  Compare,
  KeyRange,
  KeyValue,
  KvEvent,
  Operation,
  OperationResult,
  PageOptions,
  ReadOptions,
} from './kv.js';
import { PageBuilder } from './page-builder.js';

const zero = Uint8Array.of(0);
const noBytes = new Uint8Array(0);

/** The first key there can be stands for "before all keys": etcd knows no empty key. */
export function etcdRange(range: KeyRange, after?: Uint8Array): { key: Uint8Array; rangeEnd: Uint8Array } {
  if (range.end === undefined && after === undefined) return { key: range.start, rangeEnd: noBytes };
  const { start, end } = spanOf(range, after);
  return { key: start.length === 0 ? zero : start, rangeEnd: end ?? zero };
}

export function etcdRead(
  range: KeyRange,
  { after, limit, keysOnly = false }: PageOptions & { limit: number },
  { stale = false, revision = 0 }: ReadOptions,
): MessageInitShape<typeof RangeRequestSchema> {
  return {
    ...etcdRange(range, after),
    limit: BigInt(limit),
    keysOnly,
    serializable: stale,
    revision: BigInt(revision),
  };
}

const results = {
  '=': Compare_CompareResult.EQUAL,
  '!=': Compare_CompareResult.NOT_EQUAL,
  '<': Compare_CompareResult.LESS,
  '>': Compare_CompareResult.GREATER,
} as const;

export function etcdCompare(compare: Compare): MessageInitShape<typeof CompareSchema> {
  const of = { key: compare.key, result: results[compare.is] };
  switch (compare.target) {
    case 'value':
      return { ...of, target: Compare_CompareTarget.VALUE, targetUnion: { case: 'value', value: compare.value } };
    case 'version':
      return {
        ...of,
        target: Compare_CompareTarget.VERSION,
        targetUnion: { case: 'version', value: BigInt(compare.value) },
      };
    case 'revision':
      return {
        ...of,
        target: Compare_CompareTarget.MOD,
        targetUnion: { case: 'modRevision', value: BigInt(compare.value) },
      };
    case 'createRevision':
      return {
        ...of,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { case: 'createRevision', value: BigInt(compare.value) },
      };
  }
}

export function etcdOperation(operation: Operation): MessageInitShape<typeof RequestOpSchema> {
  switch (operation.kind) {
    case 'put':
      return { request: { case: 'requestPut', value: { key: operation.key, value: operation.value } } };
    case 'delete':
      return { request: { case: 'requestDeleteRange', value: etcdRange(operation.range) } };
    case 'range':
      return { request: { case: 'requestRange', value: etcdRead(operation.range, withLimit(operation), {}) } };
  }
}

export function operationResult(operation: Operation, { response }: ResponseOp): OperationResult {
  switch (response.case) {
    case 'responseRange': {
      const { kvs, more } = response.value;
      const page = new PageBuilder(operation.kind === 'range' ? withLimit(operation).limit : 1, more);
      for (const item of kvs) page.add(keyValue(item));
      return { kind: 'range', ...page.end() };
    }
    case 'responseDeleteRange':
      return { kind: 'delete', deleted: Number(response.value.deleted) };
    default:
      return { kind: 'put' };
  }
}

function withLimit(options: PageOptions): PageOptions & { limit: number } {
  return { ...options, limit: options.limit ?? limits.kvPageCountMax };
}

export function keyValue({ key, value, createRevision, modRevision, version }: EtcdKeyValue): KeyValue {
  return {
    key,
    value,
    createRevision: Number(createRevision),
    revision: Number(modRevision),
    version: Number(version),
  };
}

/** Undefined for an event that says nothing, which etcd does not send. */
export function kvEvent({ type, kv }: Event): KvEvent | undefined {
  if (kv === undefined) return undefined;
  if (type === Event_EventType.DELETE) return { kind: 'delete', key: kv.key, revision: Number(kv.modRevision) };
  return { kind: 'put', item: keyValue(kv) };
}
