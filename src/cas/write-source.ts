// One write, up to its commit: takes in all of a source, whoever commits what came of it. A write that announced its blob is
// answered as soon as somebody else has stored it, also while its own sender stalls.

import type { BlobSource, Durability, WriteOptions, WriteResult } from '../base/blob-store.js';
import type { BlobHash, Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { Interruptible, refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import { Spool, type Spooled } from './spool.js';
import type { TemporaryFiles } from './temporary-files.js';
import { checkExpected } from './write-checks.js';

export interface Committer {
  readonly durability: Durability;
  /** Owns what was spooled from the call on. */
  commit(spooled: Spooled, expect: Digest | undefined): Promise<WriteResult>;
  /** Calls back once when the blob is stored, at once if it is; the answer stops waiting. */
  whenStored(hash: BlobHash, callback: (stored: Digest) => void): () => void;
  /** The answer to a write whose blob another has stored. */
  existed(digest: Digest): WriteResult;
}

/** Why a write that is still receiving bytes was cut short: somebody else has stored the blob. */
class StoredByAnother {
  constructor(readonly digest: Digest) {}
}

export async function writeSource(
  committer: Committer,
  temporary: TemporaryFiles,
  source: BlobSource,
  { expect, signal }: WriteOptions,
): Promise<WriteResult> {
  refuseWhenCanceled(signal);
  if (source instanceof Uint8Array && source.length <= limits.packedBlobBytesMax) {
    return committer.commit({ kind: 'packed', digest: digestBlob(source), bytes: source }, expect);
  }
  const spool = new Spool(temporary, expect, committer.durability);
  try {
    if (source instanceof Uint8Array) await spool.take(source);
    else await receive(committer, source, spool, expect, signal);
    return await committer.commit(await spool.finish(), expect);
  } catch (error) {
    await spool.discard();
    if (!(error instanceof StoredByAnother)) throw error;
    checkExpected(expect, error.digest);
    return committer.existed(error.digest);
  }
}

/** Takes in all of a source, unless it is canceled or the blob it announced is stored by somebody else first. */
async function receive(
  committer: Committer,
  source: AsyncIterable<Uint8Array>,
  spool: Spool,
  expect: Digest | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pieces = new Interruptible(source);
  const stopWaiting =
    expect && committer.whenStored(expect.hash, (stored) => pieces.interrupt(new StoredByAnother(stored)));
  const cancel = () => pieces.interrupt(new CairnError('canceled', 'the write was canceled'));
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) await spool.take(piece);
  } catch (error) {
    pieces.abandon();
    throw error;
  } finally {
    stopWaiting?.();
    signal?.removeEventListener('abort', cancel);
  }
}
