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
  const { handle, range } = await openDownload(parts.store, request);
  for await (const block of blobBlocks(handle, range, signal, parts)) {
    for (let start = 0; start < block.length; start += limits.downloadMessageBytesMax) {
      yield { data: block.subarray(start, start + limits.downloadMessageBytesMax) };
    }
  }
}

/**
 * The blob, which is the caller's to close, and what is wanted of it. `not_found` when there is no blob of that hash and
 * size; `out_of_range` when the range is not inside it.
 */
export async function openDownload(
  store: BlobStore,
  { metadata }: DownloadRequest,
): Promise<{ readonly handle: BlobHandle; readonly range: ByteRange }> {
  const handle = await openExactly(store, fromDigestMessage(metadata?.digest));
  return { handle, range: await resolveOrClose(handle, metadata?.range) };
}

async function openExactly(store: BlobStore, digest: Digest): Promise<BlobHandle> {
  const handle = await store.open(digest.hash);
  if (handle !== undefined && handle.digest.size === digest.size) return handle;
  await handle?.close();
  throw new CairnError('not_found', `no blob ${formatHash(digest.hash)} of ${digest.size} bytes`);
}

async function resolveOrClose(handle: BlobHandle, range: BlobRange | undefined): Promise<ByteRange> {
  try {
    return resolveRange(handle.digest.size, range?.start ?? 0n, range?.length);
  } catch (error) {
    await handle.close();
    throw error;
  }
}
