// cairn.v1.BlobService: everything about blobs in unary calls.

import type { ServiceImpl } from '@connectrpc/connect';
import { type BlobHash, toHash } from '../../base/digest.js';
import { limits } from '../../base/limits.js';
import {
  BlobService,
  type DeleteRequest,
  type ListRequest,
  type StatRequest,
} from '../../gen/cairn/v1/blob_service_pb.js';
import { batchCall } from './batch-call.js';
import { batchRead } from './batch-read.js';
import { batchWrite } from './batch-write.js';
import { concurrently } from './concurrently.js';
import { toDigestMessage } from './digest-message.js';
import { missingDigests, refuseTooMany } from './missing-digests.js';
import { pageCount } from './page-count.js';
import { decodePageToken, encodePageToken } from './page-token.js';
import { isLocalPeer } from './peer.js';
import type { RpcParts } from './rpc-parts.js';

type Parts = Pick<RpcParts, 'store' | 'logger' | 'negotiateConcurrency' | 'lookups'>;

export function blobService(parts: Parts): ServiceImpl<typeof BlobService> {
  const { store } = parts;
  return {
    async findMissing({ digests }, { signal }) {
      return { missing: await missingDigests(parts, digests, signal) };
    },
    batchRead: (request, context) => batchRead(parts, request, batchCall(parts, context)),
    batchWrite: (request, context) => batchWrite(store, request, batchCall(parts, context)),
    stat: (request, context) => statBlobs(parts, request, isLocalPeer(context), context.signal),
    list: (request) => listBlobs(parts, request),
    async delete(request) {
      return { deleted: await store.delete(hashesOf(request)) };
    },
  };
}

function hashesOf({ hashes }: StatRequest | DeleteRequest): BlobHash[] {
  refuseTooMany(hashes.length, limits.batchItemsCountMax, 'hashes');
  return hashes.map(toHash);
}

async function statBlobs({ store }: Parts, request: StatRequest, isLocal: boolean, signal: AbortSignal) {
  const hashes = hashesOf(request);
  const stats = await store.stat(hashes);
  const items = await concurrently(hashes, limits.batchConcurrencyMax, signal, async (hash, index) => {
    const stat = stats[index];
    if (stat === undefined) return { hash };
    const localPath = request.withLocalPath && isLocal ? await localPathOf({ store }, hash) : undefined;
    return { hash, sizeBytes: BigInt(stat.size), ...(localPath !== undefined && { localPath }) };
  });
  return { items };
}

async function localPathOf({ store }: Pick<Parts, 'store'>, hash: BlobHash): Promise<string | undefined> {
  const handle = await store.open(hash);
  await handle?.close();
  return handle?.localPath;
}

async function listBlobs({ store }: Parts, { pageSize, pageToken }: ListRequest) {
  const count = pageCount(pageSize);
  const after = pageToken === '' ? undefined : toHash(decodePageToken(BlobService.typeName, pageToken));
  // One more than the page shows whether there is another.
  const [listed, usage] = await Promise.all([store.list({ after, limit: count + 1 }), store.usage()]);
  const page = listed.slice(0, count);
  const last = page.at(-1);
  return {
    digests: page.map(toDigestMessage),
    nextPageToken: last !== undefined && listed.length > count ? encodePageToken(BlobService.typeName, last.hash) : '',
    totalCount: BigInt(usage.blobs),
  };
}
