// Shapes that several routes of the LumeoFS API share, under the names that its document gives their members. A shape with
// an `$id` has a place of its own in the OpenAPI document.

import { type TUnsafe, Type } from '@sinclair/typebox';
import { limits } from '../../../base/limits.js';

/** RFC 3339, in UTC, to the second. */
export const time = Type.String({ format: 'date-time' });

/** A number of bytes or of things. */
export const count = Type.Integer({ minimum: 0 });

/** One of these words. */
export function oneOf<const Word extends string>(words: readonly Word[]): TUnsafe<Word> {
  return Type.Union(words.map((word) => Type.Literal(word))) as unknown as TUnsafe<Word>;
}

/** What lists take: `page` counts from 1; a larger `page_size` than there is means the largest. */
export const pageQuery = {
  page: Type.Optional(Type.Integer({ minimum: 1, default: 1 })),
  page_size: Type.Optional(Type.Integer({ minimum: 1, default: limits.filesPageCountDefault })),
};

/** What lists answer beside their items. */
export const pageData = { total: count, page: Type.Integer({ minimum: 1 }), page_size: Type.Integer({ minimum: 1 }) };

export const errorBody = Type.Object(
  {
    code: Type.Integer({ minimum: 1001, maximum: 5002 }),
    message: Type.String(),
    error: Type.String(),
    details: Type.Object({ timestamp: time }, { additionalProperties: Type.String() }),
  },
  { $id: 'Error' },
);
