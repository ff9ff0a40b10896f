// What files may be called. A name is a name and no path: it never touches a disk, so `../x` and `a/b` are names like any
// other, and Unicode stays as it came. Two names are equal when their UTF-8 is.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** `invalid_argument` for a name that is empty, too long, holds NUL, or has no UTF-8. */
export function checkFileName(name: string): void {
  if (name === '') throw refusal('file_name', 'a file has a name');
  if (name.includes('\0')) throw refusal('file_name', 'a file name has no NUL');
  if (/\p{Cs}/u.test(name)) throw refusal('file_name', 'a file name has no half of a character');
  const bytes = Buffer.byteLength(name);
  if (bytes > limits.fileNameBytesMax) {
    throw refusal('file_name', `a file name has at most ${limits.fileNameBytesMax} bytes, not ${bytes}`);
  }
}

/** `invalid_argument` for what could not stand in a header. */
export function checkContentType(contentType: string | undefined): void {
  if (contentType === undefined || /^[\x20-\x7e]{1,255}$/.test(contentType)) return;
  throw refusal('content_type', 'a content type has 1 to 255 printable ASCII characters');
}

function refusal(parameter: string, message: string): CairnError {
  return new CairnError('invalid_argument', message, { subject: { kind: 'parameter', id: parameter } });
}
