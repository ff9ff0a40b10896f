// The walk-through tells what happened, so it must have happened as it tells.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/project-root.js';

it('puts, negotiates again and reads back, then syncs, compares and checks out', async () => {
  const demo = join(projectRoot, 'dist/cli/demo.js');
  const { stdout } = await promisify(execFile)(process.execPath, [demo], { timeout: 60_000 });
  const missing = [...stdout.matchAll(/(\d+) of (\d+) are missing/g)].map(([, lacks, all]) => [lacks, all]);
  const all = missing[0]?.[1];
  expect(missing).toEqual([
    [all, all],
    ['0', all],
  ]);
  expect(stdout).toContain('"The one interface of everything that holds blobs');
  const [, same, files] = /(\d+) of (\d+) files are the same/.exec(stdout)!;
  expect(same).toBe(files);
  expect(stdout).toMatch(/^ {5}M base\/clock\.ts$/m);
});
