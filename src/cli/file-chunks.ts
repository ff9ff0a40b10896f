// A file's bytes in large reads, two of them under way at once, so that the disk works while the reader does.

import { type FileHandle, open } from 'node:fs/promises';
import { CairnError } from '../base/errors.js';

const chunkBytes = 1024 * 1024;

/**
 * Pieces in order. A piece is overwritten once the next has been asked for. `failed_precondition` when the file cannot
 * be opened or read.
 */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const buffers = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)];
    const reads = buffers.map((buffer, i) => startRead(file, path, buffer, i * chunkBytes));
    for (let i = 0; ; i++) {
      const slot = i % 2;
      const piece = await reads[slot]!;
      if (piece.length > 0) yield piece;
      if (piece.length < chunkBytes) {
        await reads[1 - slot];
        return;
      }
      reads[slot] = startRead(file, path, buffers[slot]!, (i + 2) * chunkBytes);
    }
  } finally {
    await file.close();
  }
}

function startRead(file: FileHandle, path: string, buffer: Uint8Array, position: number): Promise<Uint8Array> {
  const read = readAt(file, path, buffer, position);
  // Whoever stops early never awaits the read ahead; its failure concerns nobody then.
  read.catch(() => {});
  return read;
}

async function readAt(file: FileHandle, path: string, buffer: Uint8Array, position: number): Promise<Uint8Array> {
  let filled = 0;
  try {
    while (filled < buffer.length) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return buffer.subarray(0, filled);
}

export function unreadable(path: string, error: unknown): CairnError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CairnError('failed_precondition', `cannot read ${path}: ${reason}`, { cause: error });
}
