// Commands on the metadata and their outcomes in Protocol Buffers: as they stand in the log, and as nodes pass them on.

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { CairnError, type ErrorCode, errorCodes } from '../../base/errors.js';
import {
  type CommandResult,
  CommandResultSchema,
  CommandSchema,
  type CompareSchema,
  Compare_Comparison as ComparisonNumber,
  type OperationResultSchema,
  type OperationSchema,
  Compare_Target as TargetNumber,
  type Compare as WireCompare,
  type KeyRange as WireKeyRange,
  type Operation as WireOperation,
  type OperationResult as WireResult,
} from '../../gen/cairn/raft/v1/raft_pb.js';
import type { KvCommand, KvOutcome } from '../apply-entries.js';
import type { Compare, Comparison, KeyRange, Operation, OperationResult } from '../kv.js';
import { safeNumber } from './raft-messages.js';

const comparisonNumbers: Readonly<Record<Comparison, ComparisonNumber>> = {
  '=': ComparisonNumber.EQUAL,
  '!=': ComparisonNumber.NOT_EQUAL,
  '<': ComparisonNumber.LESS,
  '>': ComparisonNumber.GREATER,
};
const targetNumbers: Readonly<Record<Compare['target'], TargetNumber>> = {
  value: TargetNumber.VALUE,
  version: TargetNumber.VERSION,
  revision: TargetNumber.REVISION,
  createRevision: TargetNumber.CREATE_REVISION,
};
const comparisonNames = namesOf(comparisonNumbers);
const targetNames = namesOf(targetNumbers);

function namesOf<Name extends string>(numbers: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  return new Map(Object.entries<number>(numbers).map(([name, number]) => [number, name as Name]));
}

export function encodeCommand(command: KvCommand): Uint8Array {
  if (command.kind === 'compact') {
    return toBinary(
      CommandSchema,
      create(CommandSchema, { command: { case: 'compact', value: BigInt(command.revision) } }),
    );
  }
  const { compares = [], success, failure = [] } = command.txn;
  const value = {
    compares: compares.map(compareMessage),
    success: success.map(operationMessage),
    failure: failure.map(operationMessage),
  };
  return toBinary(CommandSchema, create(CommandSchema, { command: { case: 'transaction', value } }));
}

/** `corrupt` when the bytes are no command. */
export function decodeCommand(bytes: Uint8Array): KvCommand {
  try {
    const { command } = fromBinary(CommandSchema, bytes);
    if (command.case === 'compact') return { kind: 'compact', revision: safeNumber(command.value) };
    if (command.case !== 'transaction') throw new Error('there is nothing in it');
    const { compares, success, failure } = command.value;
    return {
      kind: 'txn',
      txn: {
        compares: compares.map(compareOf),
        success: success.map(operationOf),
        failure: failure.map(operationOf),
      },
    };
  } catch (cause) {
    throw new CairnError('corrupt', 'a command on the metadata cannot be read', { cause });
  }
}

function compareMessage(compare: Compare): MessageInitShape<typeof CompareSchema> {
  const common = {
    key: compare.key,
    target: targetNumbers[compare.target],
    is: comparisonNumbers[compare.is],
  };
  return compare.target === 'value'
    ? { ...common, value: compare.value }
    : { ...common, number: BigInt(compare.value) };
}

function compareOf({ key, target, is, value, number }: WireCompare): Compare {
  const comparison = known(comparisonNames.get(is));
  const name = known(targetNames.get(target));
  return name === 'value'
    ? { key, target: name, is: comparison, value }
    : { key, target: name, is: comparison, value: safeNumber(number) };
}

function rangeMessage({ start, end }: KeyRange) {
  return { start, ...(end && { end }) };
}

function rangeOf(range: WireKeyRange | undefined): KeyRange {
  const { start, end } = known(range);
  return end === undefined ? { start } : { start, end };
}

function operationMessage(operation: Operation): MessageInitShape<typeof OperationSchema> {
  switch (operation.kind) {
    case 'put':
      return { operation: { case: 'put', value: { key: operation.key, value: operation.value } } };
    case 'delete':
      return { operation: { case: 'delete', value: rangeMessage(operation.range) } };
    case 'range': {
      const { range, limit = 0, after, keysOnly = false } = operation;
      const value = { range: rangeMessage(range), limit, keysOnly, ...(after && { after }) };
      return { operation: { case: 'range', value } };
    }
  }
}

function operationOf({ operation }: WireOperation): Operation {
  switch (operation.case) {
    case 'put':
      return { kind: 'put', key: operation.value.key, value: operation.value.value };
    case 'delete':
      return { kind: 'delete', range: rangeOf(operation.value) };
    case 'range': {
      const { range, limit, after, keysOnly } = operation.value;
      return { kind: 'range', range: rangeOf(range), limit: limit === 0 ? undefined : limit, after, keysOnly };
    }
    default:
      throw new Error('an operation says what it does');
  }
}

export function outcomeMessage(outcome: KvOutcome): CommandResult {
  if (outcome === undefined) return create(CommandResultSchema, { result: { case: 'empty', value: true } });
  if (outcome instanceof CairnError) {
    const { code, message } = outcome;
    return create(CommandResultSchema, { result: { case: 'failure', value: { code, message } } });
  }
  const { succeeded, revision, results } = outcome;
  const value = { succeeded, revision: BigInt(revision), results: results.map(resultMessage) };
  return create(CommandResultSchema, { result: { case: 'done', value } });
}

export function outcomeOf(message: CommandResult | undefined): KvOutcome {
  const { result } = known(message);
  switch (result.case) {
    case 'empty':
      return undefined;
    case 'failure': {
      const code = errorCodes.find((one): one is ErrorCode => one === result.value.code);
      return new CairnError(code ?? 'internal', result.value.message);
    }
    case 'done': {
      const { succeeded, revision, results } = result.value;
      return { succeeded, revision: safeNumber(revision), results: results.map(resultOf) };
    }
    default:
      throw new CairnError('internal', 'another node gave no answer');
  }
}

function resultMessage(result: OperationResult): MessageInitShape<typeof OperationResultSchema> {
  switch (result.kind) {
    case 'put':
      return { result: { case: 'put', value: true } };
    case 'delete':
      return { result: { case: 'deleted', value: result.deleted } };
    case 'range': {
      const items = result.items.map(({ key, value, createRevision, revision, version }) => ({
        key,
        value,
        createRevision: BigInt(createRevision),
        revision: BigInt(revision),
        version: BigInt(version),
      }));
      return { result: { case: 'page', value: { items, more: result.more } } };
    }
  }
}

function resultOf({ result }: WireResult): OperationResult {
  switch (result.case) {
    case 'put':
      return { kind: 'put' };
    case 'deleted':
      return { kind: 'delete', deleted: result.value };
    case 'page': {
      const items = result.value.items.map(({ key, value, createRevision, revision, version }) => ({
        key,
        value,
        createRevision: safeNumber(createRevision),
        revision: safeNumber(revision),
        version: safeNumber(version),
      }));
      return { kind: 'range', items, more: result.value.more };
    }
    default:
      throw new CairnError('internal', 'another node gave no result');
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new CairnError('invalid_argument', 'something is missing in a message');
  return value;
}
