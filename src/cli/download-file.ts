// A blob, or a range of it, into a file: first under another name beside it, fetched in parts when there are several
// jobs, checked as a whole, and only then renamed.

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type Digest, formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { systemRandom, uniqueName } from '../base/random.js';
import type { ByteRange } from '../base/range.js';
import type { CairnClient } from '../client/cairn-client.js';
import { hashFile } from './hash-worker.js';

export interface FileDownload {
  readonly client: CairnClient;
  readonly digest: Digest;
  readonly range: ByteRange;
  /** Parts fetched at once. */
  readonly jobs: number;
  readonly path: string;
  readonly signal: AbortSignal;
  onBytes(count: number): void;
}

export function downloadToFile(download: FileDownload): Promise<void> {
  const { digest, range, path, jobs } = download;
  return writeWhole(path, async (file, temporary) => {
    try {
      if (jobs === 1) await fetchPart(download, file, range);
      else await fetchParts(download, file);
    } finally {
      await file.close();
    }
    const whole = range.start === 0 && range.end === digest.size;
    if (whole && jobs > 1 && !hashesEqual((await hashFile(temporary)).hash, digest.hash)) {
      throw new CairnError('corrupt', `the server sent other bytes than ${formatHash(digest.hash)}`);
    }
  });
}

/** A file that appears when the work is done, and not at all when it fails. The work closes what it is given. */
export async function writeWhole(
  path: string,
  work: (file: FileHandle, temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${uniqueName(systemRandom)}.part`;
  const file = await open(temporary, 'wx').catch((error: unknown) => {
    throw unwritable(path, error);
  });
  try {
    await work(file, temporary);
    await rename(temporary, path).catch((error: unknown) => {
      throw unwritable(path, error);
    });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function fetchParts(download: FileDownload, file: FileHandle): Promise<void> {
  const { range, jobs, signal } = download;
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let next = range.start;
  const job = async () => {
    while (next < range.end) {
      const start = next;
      next = Math.min(start + limits.downloadPartBytes, range.end);
      await fetchPart({ ...download, signal: either }, file, { start, end: next });
    }
  };
  const work = Array.from({ length: jobs }, () =>
    job().catch((error: unknown) => {
      failed.abort(error);
    }),
  );
  await Promise.all(work);
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function fetchPart({ client, digest, range, signal, onBytes }: FileDownload, file: FileHandle, part: ByteRange) {
  let at = part.start;
  for await (const piece of client.get(digest, { start: at, length: part.end - at, signal })) {
    for (let written = 0; written < piece.length; ) {
      const { bytesWritten } = await file.write(piece, written, piece.length - written, at - range.start + written);
      written += bytesWritten;
    }
    at += piece.length;
    onBytes(piece.length);
  }
}

function unwritable(path: string, error: unknown): CairnError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CairnError('failed_precondition', `cannot write ${path}: ${reason}`, { cause: error });
}
