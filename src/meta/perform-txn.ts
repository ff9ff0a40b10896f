// What a transaction does, as a function of the state it meets and of nothing else: no time, no chance, no waiting. Every
// node of a cluster that performs the same transactions in the same order from the same state ends in the same state and
// with the same answers. Who calls has looked up beforehand what the transaction can ask for.

import { compareKeys } from './keys.js';
import type { Compare, Comparison, KeyRange, Operation, OperationResult, Page } from './kv.js';
import type { KeyHead } from './rows.js';

/** The state before the transaction, as far as it can ask. */
export interface KvView {
  /** Of any key compared or put. Undefined when there is no such key. */
  head(key: Uint8Array): KeyHead | undefined;
  /** Of a present key whose value is compared. */
  value(key: Uint8Array): Uint8Array;
  /** The answer to one of the transaction's range operations. */
  page(operation: Operation & { kind: 'range' }): Page;
  /** The keys of one of its deletes. */
  keys(range: KeyRange): readonly PresentKey[];
}

export interface PresentKey {
  readonly key: Uint8Array;
  readonly head: KeyHead;
}

/** A key's new state, and the head it had. */
export interface KvChange {
  readonly key: Uint8Array;
  /** Undefined when the key was deleted. */
  readonly put: { readonly head: KeyHead; readonly value: Uint8Array } | undefined;
  readonly before: KeyHead | undefined;
}

export interface Performed {
  readonly results: readonly OperationResult[];
  /** In order of keys; none when the transaction takes no revision. */
  readonly changes: readonly KvChange[];
}

/** Whether all compares hold. */
export function holdsAll(compares: readonly Compare[], view: KvView): boolean {
  return compares.every((compare) => holds(compare, view));
}

/** `revision` is the one the transaction takes if it changes anything. */
export function performOperations(operations: readonly Operation[], revision: number, view: KvView): Performed {
  const changes: KvChange[] = [];
  const results: OperationResult[] = [];
  for (const operation of operations) {
    if (operation.kind === 'put') {
      changes.push(put(operation.key, operation.value, revision, view.head(operation.key)));
      results.push({ kind: 'put' });
    } else if (operation.kind === 'delete') {
      const doomed = view.keys(operation.range);
      for (const { key, head } of doomed) changes.push({ key, put: undefined, before: head });
      results.push({ kind: 'delete', deleted: doomed.length });
    } else {
      results.push({ kind: 'range', ...view.page(operation) });
    }
  }
  changes.sort((a, b) => compareKeys(a.key, b.key));
  return { results, changes };
}

function put(key: Uint8Array, value: Uint8Array, revision: number, before: KeyHead | undefined): KvChange {
  const head = { createRevision: before?.createRevision ?? revision, revision, version: (before?.version ?? 0) + 1 };
  return { key, put: { head, value }, before };
}

function holds(compare: Compare, view: KvView): boolean {
  const head = view.head(compare.key);
  if (compare.target !== 'value') return agrees((head?.[compare.target] ?? 0) - compare.value, compare.is);
  return head !== undefined && agrees(compareKeys(view.value(compare.key), compare.value), compare.is);
}

/** `difference` is below 0, 0 or above, as the left side is less, equal or greater. */
function agrees(difference: number, is: Comparison): boolean {
  switch (is) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
  }
}
