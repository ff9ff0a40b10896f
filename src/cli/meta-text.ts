// Keys and values of the metadata as text: what is printable UTF-8 as it is, anything else as `base64:…`. Both ways lead
// back to the same bytes. And the JSON of items, events and transactions, in which bytes are written the same way.

import { CairnError } from '../base/errors.js';
import { prefixRange, textKey } from '../meta/keys.js';
import type { Compare, KeyRange, KeyValue, KvEvent, Operation, OperationResult, Txn } from '../meta/kv.js';

const base64Prefix = 'base64:';
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function showBytes(bytes: Uint8Array): string {
  try {
    const text = decoder.decode(bytes);
    if (!unprintable.test(text) && !text.startsWith(base64Prefix)) return text;
  } catch {
    // No UTF-8.
  }
  return base64Prefix + Buffer.from(bytes).toString('base64');
}

/** `invalid_argument` when what follows `base64:` is none. */
export function parseBytes(text: string): Uint8Array {
  if (!text.startsWith(base64Prefix)) return textKey(text);
  const digits = text.slice(base64Prefix.length);
  if (!base64Pattern.test(digits)) {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} has no base64 behind its colon`);
  }
  return new Uint8Array(Buffer.from(digits, 'base64'));
}

export function itemJson({ key, value, createRevision, revision, version }: KeyValue) {
  return { key: showBytes(key), value: showBytes(value), create_revision: createRevision, revision, version };
}

export function eventJson(event: KvEvent) {
  return event.kind === 'put'
    ? { kind: event.kind, ...itemJson(event.item) }
    : { kind: event.kind, key: showBytes(event.key), revision: event.revision };
}

export function resultJson(result: OperationResult) {
  if (result.kind !== 'range') return result;
  return { kind: result.kind, items: result.items.map(itemJson), more: result.more };
}

/** Reads `{"compares": […], "success": […], "failure": […]}`. `invalid_argument` when it is no transaction. */
export function parseTxn(text: string): Txn {
  const whole = fieldsOf(parseJson(text), 'the transaction');
  return {
    compares: listOf(whole, 'compares').map(parseCompare),
    success: listOf(whole, 'success').map(parseOperation),
    failure: listOf(whole, 'failure').map(parseOperation),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parseCompare(json: unknown): Compare {
  const fields = fieldsOf(json, 'a compare');
  const key = bytesOf(fields, 'key');
  const { target, is = '=', value } = fields;
  if (is !== '=' && is !== '!=' && is !== '<' && is !== '>') throw wrong('"is" of a compare', '=, !=, < or >');
  if (target === 'value') return { key, target, is, value: bytesOf(fields, 'value') };
  const property = target === 'create_revision' ? 'createRevision' : target;
  if (property !== 'version' && property !== 'revision' && property !== 'createRevision') {
    throw wrong('"target" of a compare', 'value, version, revision or create_revision');
  }
  return { key, target: property, is, value: numberOf(value, 'value') };
}

function parseOperation(json: unknown): Operation {
  const fields = fieldsOf(json, 'an operation');
  switch (fields.kind) {
    case 'put':
      return { kind: 'put', key: bytesOf(fields, 'key'), value: bytesOf(fields, 'value') };
    case 'delete':
      return { kind: 'delete', range: parseRange(fields) };
    case 'range': {
      const { limit, after, keys_only: keysOnly } = fields;
      return {
        kind: 'range',
        range: parseRange(fields),
        ...(limit !== undefined && { limit: numberOf(limit, 'limit') }),
        ...(after !== undefined && { after: bytesOf(fields, 'after') }),
        keysOnly: keysOnly === true,
      };
    }
    default:
      throw wrong('"kind" of an operation', 'put, delete or range');
  }
}

/** One `key`, all keys with a `prefix`, or those from `start` to `end`. */
function parseRange(fields: Fields): KeyRange {
  if ('key' in fields) return { start: bytesOf(fields, 'key') };
  if ('prefix' in fields) return prefixRange(bytesOf(fields, 'prefix'));
  return { start: bytesOf(fields, 'start'), end: bytesOf(fields, 'end') };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CairnError('invalid_argument', `no JSON: ${(cause as Error).message}`, { cause });
  }
}

export function fieldsOf(json: unknown, what: string): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(what, 'an object');
  return json as Fields;
}

export function bytesOf(fields: Fields, name: string): Uint8Array {
  const text = fields[name];
  if (typeof text !== 'string') throw wrong(`"${name}"`, 'a text');
  return parseBytes(text);
}

function listOf(fields: Fields, name: string): readonly unknown[] {
  const list = fields[name] ?? [];
  if (!Array.isArray(list)) throw wrong(`"${name}"`, 'a list');
  return list;
}

function numberOf(value: unknown, name: string): number {
  if (typeof value !== 'number') throw wrong(`"${name}"`, 'a number');
  return value;
}

function wrong(what: string, expected: string): CairnError {
  return new CairnError('invalid_argument', `${what} must be ${expected}`);
}
