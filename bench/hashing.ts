// How fast a large file gets its name: b3sum, our hasher, and `cairn put` of a file that the server has, which is a hash and a
// question, and of one that it lacks, which is written durably besides.

import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHasher, hashEngine } from '../src/blake3/hasher.js';
import { makeBigBlob, writeDurably } from './big-blob.js';
import type { Scenario, Subject } from './harness.js';
import { cairn, closeAll } from './processes.js';
import { findProgram, missingPrograms } from './programs.js';
import { openCairn } from './servers.js';

const run = promisify(execFile);
const readBytes = 1024 * 1024;

export async function hashing(directory: string, mebibytes: number): Promise<Scenario> {
  const server = await openCairn(join(directory, 'cairn'));
  const file = join(directory, 'file');
  await writeDurably(file, makeBigBlob(mebibytes).pieces);
  const put = async (path: string) => {
    await run(process.execPath, [cairn, 'put', path, '--server', server.url]);
  };
  await put(file);
  const subject = (name: string, work: () => Promise<unknown>): Subject => ({
    name,
    async run() {
      await work();
      return mebibytes;
    },
  });
  const b3sum = findProgram('b3sum');
  const newFile = join(directory, 'new');
  return {
    title: `Hash: one file of ${mebibytes.toLocaleString('en-US')} MiB`,
    about: `From the page cache. b3sum maps the file into its memory and is a process for each run, as \`cairn put\` is; our hasher (${hashEngine.name}) reads it with positioned reads in a warm process. \`cairn put\` of a new file answers when it is synced.`,
    unit: 'MiB',
    yardstickCount: 1,
    missing: missingPrograms(['b3sum']),
    subjects: [
      ...(b3sum === undefined
        ? []
        : [
            subject('b3sum, one thread', () => run(b3sum, ['--num-threads', '1', file])),
            subject('b3sum, all processors', () => run(b3sum, [file])),
          ]),
      subject('our hasher, one thread', () => hashFile(file)),
      subject('cairn put, the server has it', () => put(file)),
      {
        ...subject('cairn put, the server lacks it', () => put(newFile)),
        prepare: () => writeDurably(newFile, makeBigBlob(mebibytes).pieces),
      },
    ],
    close: () => closeAll([server]),
  };
}

async function hashFile(path: string): Promise<void> {
  const file = await open(path);
  const hasher = createHasher();
  const buffer = Buffer.allocUnsafe(readBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, readBytes);
    if (bytesRead === 0) break;
    hasher.update(buffer.subarray(0, bytesRead));
  }
  hasher.digest();
  await file.close();
}
