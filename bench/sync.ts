// A directory of small files into a store: the first time, and again when nothing has changed. The yardstick is the faster
// of two tools that people use for it, where they are installed: restic (into a local repository) and casync (into a
// local store, with its cache). Cairn sends to a server process.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Scenario, Subject } from './harness.js';
import { cairn, type ServerProcess, spawnCairn } from './processes.js';

const run = promisify(execFile);
const filesPerDirectory = 100;

/** Files of 200 bytes to 8 KiB that no two of are equal. */
async function makeFiles(directory: string, count: number): Promise<void> {
  const bytes = randomBytes(16 * 1024);
  for (let first = 0; first < count; first += filesPerDirectory) {
    const folder = join(directory, `part-${first / filesPerDirectory}`);
    await mkdir(folder, { recursive: true });
    const names = Array.from({ length: Math.min(filesPerDirectory, count - first) }, (_, i) => first + i);
    await Promise.all(
      names.map((name) => {
        const size = 200 + ((name * 7919) % 7992);
        return writeFile(join(folder, `file-${name}.txt`), [
          `${name}\n`,
          bytes.subarray(name % 8192, (name % 8192) + size),
        ]);
      }),
    );
  }
}

async function isInstalled(command: string): Promise<boolean> {
  return run(command, ['--help']).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
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
      await run('casync', ['make', `--store=${store}`, `--cache=${cache}`, join(directory, 'store.caidx'), files]);
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
      server = await spawnCairn(data);
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
  if (await isInstalled('restic')) others.push(restic(directory, files));
  if (await isInstalled('casync')) others.push(casync(directory, files));
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
    unit: 'files',
    subjects: ways.map(subjectOf),
    yardstickCount: Math.max(1, others.length),
    yardstick: 'fastest',
    close: async () => {
      for (const way of ways) await way.close?.();
    },
  };
}
