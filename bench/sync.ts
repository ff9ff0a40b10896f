// A directory of small files into a store: the first time, and again when nothing has changed. The yardstick is the faster
// of two tools that people use for it, where they are installed: restic (into a local repository) and casync (into a
// local store, with its cache, and zstd, the fastest of its compressions). Both compress, which Cairn does not; Cairn sends
// to a server process, and like restic, but not casync, has the bytes synced to the disk when it ends. Each sync finds
// the files in the page cache. Cairn's server is a new one each first time, whose code is not compiled yet.

import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Scenario, Subject } from './harness.js';
import { cairn, type ServerProcess, spawnCairn } from './processes.js';
import { findProgram, missingPrograms } from './programs.js';
import { defaultThreads } from './servers.js';

const run = promisify(execFile);
const filesPerDirectory = 100;

/** Numbers from 0 up to below 1, the same ones every time: a linear congruential generator. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Files of 200 bytes to 8 KiB, each with words of its own: a few are frequent, most are rare, so that they compress to about a
 * third. Files that share bytes would be none to a tool that compresses many of them together.
 */
async function makeFiles(directory: string, count: number): Promise<void> {
  const random = numbers(1);
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const word = () => Array.from({ length: 2 + Math.floor(9 * random()) }, () => letters[Math.floor(26 * random())]);
  const words = Array.from({ length: 4096 }, () => word().join(''));
  const text = (size: number, start: string) => {
    let all = start;
    while (all.length < size) all += ` ${words[Math.floor(random() * random() * words.length)]}`;
    return all.slice(0, size);
  };
  for (let first = 0; first < count; first += filesPerDirectory) {
    const folder = join(directory, `part-${first / filesPerDirectory}`);
    await mkdir(folder, { recursive: true });
    const names = Array.from({ length: Math.min(filesPerDirectory, count - first) }, (_, i) => first + i);
    await Promise.all(
      names.map((name) => {
        return writeFile(join(folder, `file-${name}.txt`), text(200 + ((name * 7919) % 7992), `${name}`));
      }),
    );
  }
}

/** One way to bring the files into a store, and to make that store empty. */
interface Way {
  readonly name: string;
  empty(): Promise<void>;
  sync(): Promise<void>;
  close?(): Promise<void>;
}

function restic(directory: string, files: string): Way {
  const repository = join(directory, 'restic');
  const env = {
    ...process.env,
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: 'x',
    RESTIC_CACHE_DIR: `${repository}-cache`,
  };
  return {
    name: 'restic backup',
    async empty() {
      for (const path of [repository, env.RESTIC_CACHE_DIR]) await rm(path, { recursive: true, force: true });
      await run('restic', ['init'], { env });
    },
    async sync() {
      await run('restic', ['backup', '--quiet', files], { env });
    },
  };
}

function casync(directory: string, files: string): Way {
  const store = join(directory, 'store.castr');
  const cache = join(directory, 'store.cache');
  return {
    name: 'casync make',
    async empty() {
      for (const path of [store, cache]) await rm(path, { recursive: true, force: true });
    },
    async sync() {
      await run('casync', [
        'make',
        '--compression=zstd',
        `--store=${store}`,
        `--cache=${cache}`,
        join(directory, 'store.caidx'),
        files,
      ]);
    },
  };
}

function cairnSync(directory: string, files: string): Way {
  const data = join(directory, 'cairn');
  const memory = join(directory, 'cairn-cache');
  let server: ServerProcess | undefined;
  return {
    name: 'cairn sync',
    async empty() {
      await server?.close();
      for (const path of [data, memory]) await rm(path, { recursive: true, force: true });
      server = await spawnCairn(data, [defaultThreads]);
    },
    async sync() {
      const env = { ...process.env, XDG_CACHE_HOME: memory };
      await run(process.execPath, [cairn, 'sync', files, '--server', server!.url], { env });
    },
    async close() {
      await server?.close();
    },
  };
}

export async function syncs(directory: string, count: number, again: boolean): Promise<Scenario> {
  const files = join(directory, 'files');
  await makeFiles(files, count);
  const others: Way[] = [];
  if (findProgram('restic')) others.push(restic(directory, files));
  if (findProgram('casync')) others.push(casync(directory, files));
  const ours = cairnSync(directory, files);
  const ways = [...others, ours];
  if (again) {
    for (const way of ways) {
      await way.empty();
      await way.sync();
    }
  }
  const subjectOf = (way: Way): Subject => ({
    name: way.name,
    ...(way === ours && others.length > 0 ? { budget: 1 } : {}),
    ...(again ? {} : { prepare: () => way.empty() }),
    async run() {
      await way.sync();
      return count;
    },
  });
  return {
    title: `Sync of ${count.toLocaleString('en-US')} small files, ${again ? 'when nothing has changed' : 'the first time'}`,
    about:
      "Cairn's server is started as it is by default. Each tool is a process of its own for each sync, and finds the files in the page cache. restic and Cairn sync what they write, casync does not; restic and casync compress.",
    unit: 'files',
    missing: missingPrograms(['restic', 'casync']),
    subjects: ways.map(subjectOf),
    yardstickCount: Math.max(1, others.length),
    yardstick: 'fastest',
    close: async () => {
      for (const way of ways) await way.close?.();
    },
  };
}
