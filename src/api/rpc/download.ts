// Transport.Download: a blob, or a range of it, as messages of bounded size. Every byte was verified before it leaves.

import type { HandlerContext } from '@connectrpc/connect';
import type { BlobHandle, BlobStore } from '../../base/blob-store.js';
import { type Digest, formatHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type ByteRange, resolveRange } from '../../base/range.js';
import type { BlobRange } from '../../gen/zako/v1/range/range_pb.js';
import type { DownloadRequest } from '../../gen/zako/v1/transport/transport_pb.js';
import { blobBlocks } from './blob-blocks.js';
import { fromDigestMessage } from './digest-message.js';
import type { RpcParts } from './rpc-parts.js';

export async function* download(
  parts: Pick<RpcParts, 'store' | 'budget' | 'clock'>,
  request: DownloadRequest,
  { signal }: Pick<HandlerContext, 'signal'>,
): AsyncGenerator<{ data: Uint8Array }, void, undefined> {
  const { handle, range } = await openPart(parts.store, partOf(request));
  for await (const block of blobBlocks(handle, range, signal, parts)) {
    for (let start = 0; start < block.length; start += limits.downloadMessageBytesMax) {
      yield { data: block.subarray(start, start + limits.downloadMessageBytesMax) };
    }
  }
}

/** What is wanted of which blob. */
export interface BlobPart {
  readonly digest: Digest;
  /** Absent for all of it. */
  readonly range?: BlobRange | undefined;
}

/** `invalid_argument` for a malformed digest, or none. */
export function partOf({ metadata }: DownloadRequest): BlobPart {
  return { digest: fromDigestMessage(metadata?.digest), range: metadata?.range };
}

/**
 * The blob, which is the caller's to close, and what is wanted of it. `not_found` when there is no blob of that hash and
 * size; `out_of_range` when the range is not inside it.
 */
export async function openPart(
  store: BlobStore,
  { digest, range }: BlobPart,
): Promise<{ readonly handle: BlobHandle; readonly range: ByteRange }> {
  const handle = await store.open(digest.hash);
  try {
    if (handle?.digest.size !== digest.size) {
      throw new CairnError('not_found', `no blob ${formatHash(digest.hash)} of ${digest.size} bytes`);
    }
    if (range === undefined) return { handle, range: { start: 0, end: digest.size } };
    return { handle, range: resolveRange(digest.size, range.start, range.length) };
  } catch (error) {
    await handle?.close();
    throw error;
  }
}
