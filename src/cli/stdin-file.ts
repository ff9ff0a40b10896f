// Standard input as a file: its digest must be known before it can be sent, so it is first written to a temporary
// file, which is removed again however the command ends.

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CairnError } from '../base/errors.js';

export interface TemporaryFile {
  readonly path: string;
  remove(): Promise<void>;
}

export async function spoolStdin(signal: AbortSignal): Promise<TemporaryFile> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-put-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  const path = join(directory, 'stdin');
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const piece of abortable(process.stdin, signal)) await file.appendFile(piece);
    } finally {
      await file.close();
    }
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Ends the wait for a terminal or a pipe that stays silent. */
async function* abortable(input: NodeJS.ReadStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stop = () => input.destroy();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) stop();
    for await (const piece of input) yield piece as Uint8Array;
  } catch (error) {
    throw signal.aborted ? new CairnError('canceled', 'canceled') : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
