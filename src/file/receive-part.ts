// Moves the bytes of one request into an upload session.

import { CairnError } from '../base/errors.js';
import { Interruptible } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { UploadLease } from './upload-leases.js';
import type { UploadWriter } from './upload-writer.js';

export interface ReceivedPart {
  readonly writer: UploadWriter;
  readonly source: AsyncIterable<Uint8Array>;
  readonly lease: UploadLease;
  readonly signal: AbortSignal | undefined;
}

/** Resolves when all of it is durable. What came before the source broke off, or was broken off, is durable too. */
export async function receivePart({ writer, source, lease, signal }: ReceivedPart): Promise<void> {
  const pieces = new Interruptible(source);
  const cancel = () => pieces.interrupt(new CairnError('canceled', 'canceled', { cause: signal?.reason }));
  lease.onInterrupt((reason) => pieces.interrupt(reason));
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  try {
    await takeAll(writer, pieces, lease);
  } finally {
    signal?.removeEventListener('abort', cancel);
    pieces.abandon();
  }
  await writer.save();
}

async function takeAll(writer: UploadWriter, pieces: Interruptible, lease: UploadLease): Promise<void> {
  const { partBytesMax = Number.POSITIVE_INFINITY } = writer.held.row;
  let partBytes = 0;
  for (;;) {
    const piece = await pieces.next().catch(async (error: unknown) => {
      await writer.save();
      throw error;
    });
    if (piece === undefined) return;
    lease.moved();
    partBytes += piece.length;
    if (partBytes > partBytesMax) {
      throw new CairnError('invalid_argument', `a part of this upload has at most ${partBytesMax} bytes`, {
        subject: { kind: 'parameter', id: 'chunk_size' },
      });
    }
    await writer.take(piece);
    if (writer.unsavedBytes >= limits.uploadSaveBytes) await writer.save();
  }
}
