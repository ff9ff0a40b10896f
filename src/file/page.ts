// Pages by number, as every list of files has them.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { KeyRange, KeyValue, KvStore } from '../meta/kv.js';
import type { PageRequest } from './file-info.js';

export interface ResolvedPage {
  readonly page: number;
  readonly pageSize: number;
  /** Items on the pages before. */
  readonly skip: number;
}

const usual = { pageSize: limits.filesPageCountDefault, pageSizeMax: limits.filesPageCountMax };

/** `invalid_argument` for a number that is no whole one, or below 1. */
export function resolvePage(
  { page = 1, pageSize }: PageRequest,
  defaults: { readonly pageSize: number; readonly pageSizeMax: number } = usual,
): ResolvedPage {
  const asked = pageSize ?? defaults.pageSize;
  refuseUnlessCounting('page', page);
  refuseUnlessCounting('page_size', asked);
  const clamped = Math.min(asked, defaults.pageSizeMax);
  const skip = (page - 1) * clamped;
  refuseUnlessCounting('page', skip + 1);
  return { page, pageSize: clamped, skip };
}

function refuseUnlessCounting(parameter: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new CairnError('invalid_argument', `${parameter} is a whole number from 1 on`, {
    subject: { kind: 'parameter', id: parameter },
  });
}

/** Some way into a range: how many keys were passed, and the last of them. */
export interface RangePlace {
  readonly passed: number;
  readonly after: Uint8Array | undefined;
}

/** One page of a range of keys. What lies before it, behind the place, is passed over key by key. */
export async function readPage(
  kv: Pick<KvStore, 'range'>,
  range: KeyRange,
  { skip, pageSize }: ResolvedPage,
  { passed, after: from }: RangePlace = { passed: 0, after: undefined },
): Promise<readonly KeyValue[]> {
  let after = from;
  for (let left = skip - passed; left > 0; ) {
    const limit = Math.min(left, limits.kvPageCountMax);
    const { items, more } = await kv.range(range, { after, limit, keysOnly: true });
    if (!more) return [];
    left -= items.length;
    after = items.at(-1)!.key;
  }
  return (await kv.range(range, { after, limit: pageSize })).items;
}
