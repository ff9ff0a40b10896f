// How many entries a page of a listing has.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

/** Of a request's `page_size`: 0 means the default, and more than the most means the most. `invalid_argument` below 0. */
export function pageCount(pageSize: number): number {
  if (pageSize < 0) throw new CairnError('invalid_argument', `${pageSize} is no page size`);
  return Math.min(pageSize || limits.listPageCountDefault, limits.listPageCountMax);
}
