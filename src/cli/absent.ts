// How a command says that a blob is not there.

import { type BlobHash, formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';

/** The arguments of `CommandContext.fail`. */
export function absent(hash: BlobHash): [CairnError, { digest: string }] {
  const digest = formatHash(hash);
  return [new CairnError('not_found', `there is no blob ${digest}`), { digest }];
}
