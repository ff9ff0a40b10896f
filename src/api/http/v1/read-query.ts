// The parameters behind the question mark, checked against their shape: whole numbers and texts, each at most once. Names
// that no route knows are passed over.

import type { Static, TObject } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { checkShape, wrongParameter } from './check-shape.js';

/** `invalid_argument` with the name of the parameter that is wrong. */
export function readQuery<Shape extends TObject>(sent: URLSearchParams, shape: Shape): Static<Shape> {
  const values: Record<string, string | number> = {};
  for (const [name, { type }] of Object.entries(shape.properties)) {
    const [value, ...more] = sent.getAll(name);
    if (value === undefined) continue;
    if (more.length > 0) throw wrongParameter(name, 'stands there more than once');
    values[name] = type === 'integer' ? wholeNumber(name, value) : value;
  }
  return checkShape(Value.Default(shape, values), shape);
}

function wholeNumber(name: string, text: string): number {
  const number = /^[-+]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw wrongParameter(name, 'is no whole number');
  return number;
}
