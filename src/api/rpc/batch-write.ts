// BlobService.BatchWrite: many small blobs in one message, each with its own fate. All are written at once, so that they
// share group commits; the message bounds their bytes.

import type { BlobStore } from '../../base/blob-store.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { BatchWriteRequest } from '../../gen/cairn/v1/blob_service_pb.js';
import type { Digest as DigestMessage } from '../../gen/zako/v1/digest/digest_pb.js';
import type { BatchCall } from './batch-call.js';
import { concurrently } from './concurrently.js';
import { digestKey, fromDigestMessage } from './digest-message.js';
import { type ItemStatus, itemFailure, itemSuccess } from './item-status.js';
import { refuseTooMany } from './missing-digests.js';

interface WrittenItem {
  readonly digest?: DigestMessage;
  readonly status: ItemStatus;
  readonly existed: boolean;
}

/**
 * `too_large` for more than `batchItemsCountMax` items or `batchWriteAcceptedBytesMax` bytes; everything else is the
 * status of an item. A blob that is there already is a success.
 */
export async function batchWrite(
  store: BlobStore,
  { items }: BatchWriteRequest,
  { signal, errors }: BatchCall,
): Promise<{ items: WrittenItem[] }> {
  refuseTooMany(items.length, limits.batchItemsCountMax, 'items');
  const bytes = items.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes > limits.batchWriteAcceptedBytesMax) {
    throw new CairnError('too_large', `${bytes} bytes in one batch, at most ${limits.batchWriteAcceptedBytesMax}`);
  }
  /** Blobs that this call brought: of two equal items neither was there before. */
  const brought = new Set<string>();
  const written = await concurrently(items, limits.batchItemsCountMax, signal, async ({ digest: message, data }) => {
    const named = message && { digest: message };
    try {
      const digest = fromDigestMessage(message);
      if (digest.size !== data.length) {
        throw new CairnError('digest_mismatch', `expected ${digest.size} bytes, got ${data.length}`);
      }
      const { existed } = await store.write(data, { expect: digest, signal });
      const key = digestKey(digest);
      if (!existed) brought.add(key);
      return { ...named, key, status: itemSuccess, existed };
    } catch (error) {
      if (signal.aborted) throw error;
      return { ...named, key: '', status: itemFailure(error, errors), existed: false };
    }
  });
  return { items: written.map(({ key, ...item }) => ({ ...item, existed: item.existed && !brought.has(key) })) };
}
