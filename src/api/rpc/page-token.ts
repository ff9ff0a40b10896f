// Where a listing of blobs goes on: opaque to callers, and checked, so that a token of another list, or of a version to
// come, is refused instead of read as something else. Base64url of: version (1), hash (32), check (8), where the check is
// the first bytes of the BLAKE3 of the service's name, a zero byte and what goes before.

import { type BlobHash, hashLength, toHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { hashBytes } from '../../blake3/hasher.js';

const version = 1;
const checkOffset = 1 + hashLength;
const tokenBytes = checkOffset + 8;

/** A token for the page of a service's list that begins after this hash. */
export function encodePageToken(service: string, after: BlobHash): string {
  const token = Buffer.alloc(tokenBytes);
  token[0] = version;
  token.set(after, 1);
  token.set(checkOf(service, token), checkOffset);
  return token.toString('base64url');
}

/** `invalid_argument` unless `encodePageToken` made it for this service. */
export function decodePageToken(service: string, text: string): BlobHash {
  const token = Buffer.from(text, 'base64url');
  const sound =
    token.length === tokenBytes &&
    token.toString('base64url') === text &&
    token[0] === version &&
    token.subarray(checkOffset).equals(checkOf(service, token));
  if (!sound) throw new CairnError('invalid_argument', 'the page token is not one of this list');
  return toHash(new Uint8Array(token.subarray(1, checkOffset)));
}

function checkOf(service: string, token: Buffer): Uint8Array {
  const checked = Buffer.concat([Buffer.from(`${service}\0`), token.subarray(0, checkOffset)]);
  return hashBytes(checked).subarray(0, tokenBytes - checkOffset);
}
