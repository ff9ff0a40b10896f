// Between the digests of the wire and our own, which are checked.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Digest, toDigest, toHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import type { Digest as DigestMessage, DigestSchema } from '../../gen/zako/v1/digest/digest_pb.js';

/** `invalid_argument` when it is absent, its hash has not 32 bytes, or its size is beyond 2⁵³ − 1. */
export function fromDigestMessage(message: DigestMessage | undefined): Digest {
  if (message === undefined) throw new CairnError('invalid_argument', 'the digest is missing');
  return toDigest(toHash(message.blake3), message.sizeBytes);
}

export function toDigestMessage(digest: Digest): MessageInitShape<typeof DigestSchema> {
  return { sizeBytes: BigInt(digest.size), blake3: digest.hash };
}
