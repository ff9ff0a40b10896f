// A store's owner as it is asked from another thread: what it is handed, and how that is packed into messages.

import type { NamedBlob, WriteManyOptions, WriteResult } from '../base/blob-store.js';
import { type BlobHash, type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError, type ErrorCode } from '../base/errors.js';
import type { StoreOwner } from '../cas/store-owner.js';
import type { Handlers, ThreadLink } from './thread-link.js';

/** Many blobs in one buffer: their hashes, then their bytes. */
interface PackedBlobs {
  readonly sizes: readonly number[];
  readonly buffer: ArrayBuffer;
}

type PlainAnswer = WriteResult | { readonly code: ErrorCode; readonly message: string };

/** Answers for the owner. */
export function storeHandlers(owner: StoreOwner): Handlers {
  return {
    find: (hashes: BlobHash[]) => owner.find(hashes),
    commitLarge: ({ digest, path, checksums }: { digest: Digest; path: string; checksums: Uint8Array }) =>
      owner.commitLarge(digest, path, checksums),
    commitMany: async (packed: PackedBlobs, signal: AbortSignal): Promise<PlainAnswer[]> =>
      (await owner.commitMany(unpack(packed), { signal })).map((answer) =>
        answer instanceof CairnError ? { code: answer.code, message: answer.message } : answer,
      ),
    stored: (hash: BlobHash, signal: AbortSignal) => owner.stored(hash, signal),
    delete: (hashes: BlobHash[]) => owner.delete(hashes),
    list: (options: Parameters<StoreOwner['list']>[0]) => owner.list(options),
    usage: () => owner.usage(),
  };
}

/** The owner as the other thread knows it. */
export function linkedOwner(link: ThreadLink): StoreOwner {
  return {
    find: (hashes) => link.ask('find', hashes.map(ownHash)),
    commitLarge: (digest, path, checksums) =>
      link.ask('commitLarge', { digest: ownDigest(digest), path, checksums: new Uint8Array(checksums) }),
    async commitMany(blobs, { signal }: WriteManyOptions = {}) {
      const packed = pack(blobs);
      const answers = await link.ask<PlainAnswer[]>('commitMany', packed, signal, [packed.buffer]);
      return answers.map((answer) => ('code' in answer ? new CairnError(answer.code, answer.message) : answer));
    },
    stored: (hash, signal) => link.ask('stored', ownHash(hash), signal),
    delete: (hashes) => link.ask('delete', hashes.map(ownHash)),
    list: ({ after, limit }) => link.ask('list', { after: after && ownHash(after), limit }),
    usage: () => link.ask('usage', undefined),
  };
}

/** Alone in its buffer. */
function ownHash(hash: BlobHash): BlobHash {
  return toHash(new Uint8Array(hash));
}

function ownDigest({ hash, size }: Digest): Digest {
  return toDigest(ownHash(hash), size);
}

function pack(blobs: readonly NamedBlob[]): PackedBlobs {
  const bytes = blobs.reduce((sum, blob) => sum + hashLength + blob.bytes.length, 0);
  const buffer = new ArrayBuffer(bytes);
  const target = new Uint8Array(buffer);
  let at = 0;
  for (const blob of blobs) {
    target.set(blob.digest.hash, at);
    at += hashLength;
  }
  for (const blob of blobs) {
    target.set(blob.bytes, at);
    at += blob.bytes.length;
  }
  return { sizes: blobs.map((blob) => blob.bytes.length), buffer };
}

function unpack({ sizes, buffer }: PackedBlobs): NamedBlob[] {
  let at = sizes.length * hashLength;
  return sizes.map((size, index) => {
    const hash = toHash(new Uint8Array(buffer, index * hashLength, hashLength));
    const bytes = new Uint8Array(buffer, at, size);
    at += size;
    return { digest: toDigest(hash, size), bytes };
  });
}
