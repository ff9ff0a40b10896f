// How many entries a page of a listing has.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

/** Of a request's `page_size`: 0 means the default, and more than the most means the most. `invalid_argument` below 0. */
export function pageCount(pageSize: number): number {
  return clamped(pageSize, limits.listPageCountDefault, limits.listPageCountMax);
}

/** The same for the lists that people look at. */
export function shortPageCount(pageSize: number): number {
  return clamped(pageSize, limits.shortPageCountDefault, limits.shortPageCountMax);
}

function clamped(pageSize: number, byDefault: number, most: number): number {
  if (pageSize < 0) throw new CairnError('invalid_argument', `${pageSize} is no page size`);
  return Math.min(pageSize || byDefault, most);
}
