// The metadata's words as the wire has them, and the room they take there. Secrets of the accounts are not among them: who was an
// admin once must not be able to sign tokens ever after.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import {
  type MetaCompare,
  MetaComparison,
  type MetaEventSchema,
  type MetaItemSchema,
  type MetaOperation,
  type MetaRange,
  type MetaResultSchema,
  MetaRole,
} from '../../gen/cairn/v1/meta_service_pb.js';
import { isOfAccounts } from '../../meta/keys.js';
import type {
  Compare,
  Comparison,
  KeyRange,
  KeyValue,
  KvEvent,
  NodeRole,
  Operation,
  OperationResult,
  Page,
} from '../../meta/kv.js';

export function toMetaItem(item: KeyValue): MessageInitShape<typeof MetaItemSchema> {
  return {
    key: item.key,
    value: isOfAccounts(item.key) ? new Uint8Array(0) : item.value,
    createRevision: BigInt(item.createRevision),
    revision: BigInt(item.revision),
    version: BigInt(item.version),
  };
}

export function toMetaEvent(event: KvEvent): MessageInitShape<typeof MetaEventSchema> {
  if (event.kind === 'put') return { item: toMetaItem(event.item) };
  return { item: { key: event.key, revision: BigInt(event.revision) }, deleted: true };
}

export function fromMetaRange(range: MetaRange | undefined): KeyRange {
  if (range === undefined) throw new CairnError('invalid_argument', 'the range is missing');
  return { start: range.start, end: range.end };
}

/** What a page may be asked with; the wire's zeros mean nothing was said. */
export function fromPageFields(fields: { limit: number; after: Uint8Array; keysOnly: boolean }) {
  const { limit, after, keysOnly } = fields;
  return {
    limit: limit === 0 ? limits.kvPageCountMax : Math.min(limit, limits.kvPageCountMax),
    after: after.length === 0 ? undefined : after,
    keysOnly,
  };
}

const comparisons: Readonly<Record<MetaComparison, Comparison | undefined>> = {
  [MetaComparison.UNSPECIFIED]: undefined,
  [MetaComparison.EQUAL]: '=',
  [MetaComparison.NOT_EQUAL]: '!=',
  [MetaComparison.LESS]: '<',
  [MetaComparison.GREATER]: '>',
};

export function fromMetaCompare({ key, is: wireComparison, target }: MetaCompare): Compare {
  const is = comparisons[wireComparison];
  if (is === undefined || target.case === undefined) {
    throw new CairnError('invalid_argument', 'a compare needs a comparison and a target');
  }
  if (target.case === 'value' && isOfAccounts(key)) {
    throw new CairnError('permission_denied', 'values of the accounts are not told, nor compared');
  }
  if (target.case === 'value') return { key, is, target: 'value', value: target.value };
  return { key, is, target: target.case, value: Number(target.value) };
}

export function fromMetaOperation({ operation }: MetaOperation): Operation {
  switch (operation.case) {
    case 'put':
      if (isOfAccounts(operation.value.key)) {
        throw new CairnError('permission_denied', 'accounts are changed by AccountService alone');
      }
      return { kind: 'put', key: operation.value.key, value: operation.value.value };
    case 'delete':
      return { kind: 'delete', range: fromMetaRange(operation.value.range) };
    case 'read':
      return { kind: 'range', range: fromMetaRange(operation.value.range), ...fromPageFields(operation.value) };
    default:
      throw new CairnError('invalid_argument', 'an operation is missing');
  }
}

/** What of the pages fits one answer. Give it each page of the answer in turn. */
export class PageFitter {
  readonly #json: boolean;
  #bytes = 0;

  constructor(json: boolean) {
    this.#json = json;
  }

  fit(page: Page) {
    const items: KeyValue[] = [];
    for (const item of page.items) {
      if (this.#bytes >= limits.kvPageBytesMax) break;
      this.#bytes += itemBytes(item, this.#json);
      items.push(item);
    }
    return { items: items.map(toMetaItem), more: page.more || items.length < page.items.length };
  }
}

export function toMetaResult(result: OperationResult, fitter: PageFitter): MessageInitShape<typeof MetaResultSchema> {
  if (result.kind === 'range') return fitter.fit(result);
  return result.kind === 'delete' ? { deleted: BigInt(result.deleted) } : {};
}

export const metaRoles: Readonly<Record<NodeRole, MetaRole>> = {
  leader: MetaRole.LEADER,
  follower: MetaRole.FOLLOWER,
  candidate: MetaRole.CANDIDATE,
  learner: MetaRole.LEARNER,
};

/** Events in runs of which each fits a message, with whether more follow. */
export function* eventRuns(events: readonly KvEvent[], json: boolean): Generator<[readonly KvEvent[], boolean]> {
  let start = 0;
  let bytes = 0;
  for (const [i, event] of events.entries()) {
    if (i > start && bytes >= limits.kvPageBytesMax) {
      yield [events.slice(start, i), true];
      start = i;
      bytes = 0;
    }
    bytes += event.kind === 'put' ? itemBytes(event.item, json) : bytesIn(event.key, json);
  }
  yield [events.slice(start), false];
}

/** Most bytes of an item beside key and value: tags, lengths, names of fields, numbers. */
const binaryItemBytes = 64;
const jsonItemBytes = 192;

function itemBytes({ key, value }: KeyValue, json: boolean): number {
  return bytesIn(key, json) + bytesIn(value, json);
}

function bytesIn(bytes: Uint8Array, json: boolean): number {
  return json ? Math.ceil(bytes.length / 3) * 4 + jsonItemBytes : bytes.length + binaryItemBytes;
}
