// Where a listing goes on: opaque to callers, and checked, so that a token of another list, or of a version to come, is
// refused instead of read as something else. Base64url of: version (1), position (any length), check (8), where the check
// is the first bytes of the BLAKE3 of the list's name, a zero byte and what goes before.

import { CairnError } from '../../base/errors.js';
import { hashBytes } from '../../blake3/hasher.js';

const version = 1;
const checkBytes = 8;

/** A token for the page of the named list that begins at or after this position, whatever that is to the list. */
export function encodePageToken(list: string, position: Uint8Array): string {
  const checked = Buffer.concat([new Uint8Array([version]), position]);
  return Buffer.concat([checked, checkOf(list, checked)]).toString('base64url');
}

/** The position. `invalid_argument` unless `encodePageToken` made it for this list. */
export function decodePageToken(list: string, text: string): Uint8Array {
  const token = Buffer.from(text, 'base64url');
  const checked = token.subarray(0, -checkBytes);
  const sound =
    token.length > checkBytes &&
    token.toString('base64url') === text &&
    token[0] === version &&
    token.subarray(-checkBytes).equals(checkOf(list, checked));
  if (!sound) throw new CairnError('invalid_argument', 'the page token is not one of this list');
  return new Uint8Array(checked.subarray(1));
}

function checkOf(list: string, checked: Uint8Array): Uint8Array {
  return hashBytes(Buffer.concat([Buffer.from(`${list}\0`), checked])).subarray(0, checkBytes);
}
