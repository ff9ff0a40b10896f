// The main job on real input: every file of this checkout's node_modules goes through `cairn put` into a server of its
// own, and after a restart each comes back byte for byte. Putting them again uploads nothing.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Digest, parseHash, toDigest } from '../../src/base/digest.js';
import { connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { projectRoot } from '../support/project-root.js';

/** Files whose content is compared together. */
const comparedCountMax = 500;

let directory: string;
let server: CairnServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-e2e-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Every file but those that tools write while they run, in a dotted folder. */
async function listFiles(): Promise<string[]> {
  const entries = await readdir(join(projectRoot, 'node_modules'), { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => !/node_modules\/\.(?!bin|package-lock)/.test(path)).sort();
}

interface PutLine {
  readonly digest: Digest;
  readonly path: string;
}

function parseLine(line: string): PutLine {
  const [, hash, size, path] = /^(\S+) (\d+) (.*)$/.exec(line)!;
  return { digest: toDigest(parseHash(hash!), Number(size)), path: path! };
}

async function changedFiles(lines: readonly PutLine[]): Promise<string[]> {
  const client = connect(server.url);
  const changed: string[] = [];
  for (let start = 0; start < lines.length; start += comparedCountMax) {
    const run = lines.slice(start, start + comparedCountMax);
    const blobs = await client.readBatch(run.map(({ digest }) => digest));
    const files = await Promise.all(run.map(({ path }) => readFile(path)));
    for (const [i, file] of files.entries()) {
      if (blobs[i] === undefined || Buffer.compare(file, blobs[i]) !== 0) changed.push(run[i]!.path);
    }
  }
  client.close();
  return changed;
}

describe('every file of node_modules', () => {
  it('goes in, survives a restart, and comes back byte for byte; the second time nothing is sent', async () => {
    const paths = await listFiles();
    const list = join(directory, 'list');
    await writeFile(list, paths.join('\0'));
    const put = async () => {
      const finished = await runCairn(['put', '-0', '--files-from', list], { server: server.url });
      expect(finished.code, finished.stderr).toBe(0);
      console.log(finished.stderr.trim());
      return finished;
    };

    const first = await put();
    const lines = first.stdout.trimEnd().split('\n').map(parseLine);
    expect(lines.map(({ path }) => path)).toEqual(paths);

    expect(await server.stop()).toBe(0);
    server = await startCairnServer(['--data', join(directory, 'data')]);
    expect(await changedFiles(lines)).toEqual([]);

    const second = await put();
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toContain(`put ${paths.length} files: 0 uploaded`);

    const listed = await runCairn(['ls'], { server: server.url });
    const wanted = new Set(
      lines.filter(({ digest }) => digest.size > 0).map(({ digest }) => Buffer.from(digest.hash).toString('hex')),
    );
    expect(listed.stdout.trimEnd().split('\n')).toHaveLength(wanted.size);
  }, 240_000);
});
