// What came from outside, held against the shape that a route describes.

import type { Static, TSchema } from '@sinclair/typebox';
import { Value, type ValueError } from '@sinclair/typebox/value';
import { CairnError } from '../../../base/errors.js';

/** The value itself. `invalid_argument` with the name of the first member that is wrong. */
export function checkShape<Shape extends TSchema>(value: unknown, shape: Shape): Static<Shape> {
  const wrong = Value.Errors(shape, value).First();
  if (wrong !== undefined) throw wrongParameter(wrong.path.split('/')[1] ?? '', reasonOf(wrong));
  return value as Static<Shape>;
}

/** `name` is empty where the whole is wrong. */
export function wrongParameter(name: string, reason: string): CairnError {
  if (name === '') return new CairnError('invalid_argument', `the request ${reason}`);
  const subject = { kind: 'parameter', id: name } as const;
  return new CairnError('invalid_argument', `${name} ${reason}`, { subject });
}

function reasonOf({ schema, message }: ValueError): string {
  const choices: readonly TSchema[] = schema.anyOf ?? [];
  if (choices.length > 0) return `is none of ${choices.map((choice) => String(choice.const)).join(', ')}`;
  return `is wrong: ${message.toLowerCase()}`;
}
