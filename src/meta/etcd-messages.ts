// Our words for etcd's, and back. Our keys have a prefix in etcd, which others may use, too. etcd gives revisions as 64-bit
// numbers; they stay far below 2⁵³.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { concatBytes } from '../base/bytes.js';
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
import { prefixRange, spanOf } from './keys.js';
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

const noBytes = new Uint8Array(0);

interface EtcdRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

function etcdKey(prefix: Uint8Array, key: Uint8Array): Uint8Array {
  return concatBytes([prefix, key]);
}

/** `prefix` has at least one byte; etcd knows no empty key. */
export function etcdRange(prefix: Uint8Array, range: KeyRange, after?: Uint8Array): EtcdRange {
  if (range.end === undefined && after === undefined) return { key: etcdKey(prefix, range.start), rangeEnd: noBytes };
  const { start, end } = spanOf(range, after);
  return { key: etcdKey(prefix, start), rangeEnd: end ? etcdKey(prefix, end) : prefixRange(prefix).end! };
}

export function etcdRead(
  prefix: Uint8Array,
  range: KeyRange,
  { after, limit, keysOnly = false }: PageOptions & { limit: number },
  { stale = false, revision = 0 }: ReadOptions,
): MessageInitShape<typeof RangeRequestSchema> {
  return {
    ...etcdRange(prefix, range, after),
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

export function etcdCompare(prefix: Uint8Array, compare: Compare): MessageInitShape<typeof CompareSchema> {
  const of = { key: etcdKey(prefix, compare.key), result: results[compare.is] };
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

export function etcdOperation(prefix: Uint8Array, operation: Operation): MessageInitShape<typeof RequestOpSchema> {
  switch (operation.kind) {
    case 'put':
      return {
        request: { case: 'requestPut', value: { key: etcdKey(prefix, operation.key), value: operation.value } },
      };
    case 'delete':
      return { request: { case: 'requestDeleteRange', value: etcdRange(prefix, operation.range) } };
    case 'range':
      return { request: { case: 'requestRange', value: etcdRead(prefix, operation.range, withLimit(operation), {}) } };
  }
}

export function operationResult(prefix: Uint8Array, operation: Operation, { response }: ResponseOp): OperationResult {
  switch (response.case) {
    case 'responseRange': {
      const { kvs, more } = response.value;
      const page = new PageBuilder(operation.kind === 'range' ? withLimit(operation).limit : 1, more);
      for (const item of kvs) page.add(keyValue(prefix, item));
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

export function keyValue(
  prefix: Uint8Array,
  { key, value, createRevision, modRevision, version }: EtcdKeyValue,
): KeyValue {
  return {
    key: key.subarray(prefix.length),
    value,
    createRevision: Number(createRevision),
    revision: Number(modRevision),
    version: Number(version),
  };
}

/** Undefined for an event that says nothing, which etcd does not send. */
export function kvEvent(prefix: Uint8Array, { type, kv }: Event): KvEvent | undefined {
  if (kv === undefined) return undefined;
  const item = keyValue(prefix, kv);
  if (type !== Event_EventType.DELETE) return { kind: 'put', item };
  return { kind: 'delete', key: item.key, revision: item.revision };
}
