// What every store checks before a written blob becomes visible.

import type { Digest } from '../base/digest.js';
import { formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';

/** `digest_mismatch` unless the bytes are what the writer said they would be. */
export function checkExpected(expected: Digest | undefined, actual: Digest): void {
  if (expected === undefined) return;
  if (expected.size !== actual.size) {
    throw new CairnError('digest_mismatch', `expected ${expected.size} bytes, got ${actual.size}`);
  }
  if (!hashesEqual(expected.hash, actual.hash)) {
    throw new CairnError(
      'digest_mismatch',
      `the bytes are ${formatHash(actual.hash)}, not ${formatHash(expected.hash)}`,
    );
  }
}
