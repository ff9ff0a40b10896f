// File systems that fold case are seldom at hand, so their rules are tried here on the walk itself.

import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { SafeDirectory } from '../../src/cli/safe-directory.js';
import { walkBeside } from '../../src/cli/tree-walk.js';
import { comparePaths } from '../../src/tree/tree-item.js';
import { makeItem, type TestTree } from '../support/upload-tree.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-walk-'));
});

afterEach(async () => {
  SafeDirectory.closeAll();
  await rm(directory, { recursive: true, force: true });
});

/** What the walk does, as lines; directories are made where they are not. */
async function walk(tree: TestTree, foldsCase: boolean): Promise<string[]> {
  const lines: string[] = [];
  const root = SafeDirectory.open(directory);
  const items = Object.entries(tree)
    .map(([path, entry]) => makeItem(path, entry).item)
    .sort((a, b) => comparePaths(a.path, b.path));
  const respelled: Promise<void>[] = [];
  const steps = walkBeside(asAsync(items), {
    root,
    foldsCase,
    enter: (parent, name, path, existing) => {
      lines.push(`enter ${path} (${existing})`);
      return existing === 'directory' ? parent.openChild(name) : parent.makeChild(name);
    },
    respell: (_, from, to) => {
      lines.push(`respell ${from} ${to}`);
      respelled.push(rename(join(directory, from), join(directory, to)));
    },
    fail: (path, error: CairnError) => lines.push(`fail ${path} (${error.code})`),
  });
  for await (const step of steps) {
    if (step === 'pause') lines.push('pause');
    else if ('extra' in step) {
      lines.push(`extra ${step.extra.path}`);
      step.extra.directory.release();
    } else {
      const { item, directory: held, existing } = step.place;
      lines.push(`${held === undefined ? 'skip' : 'place'} ${item.path} (${existing})`);
      held?.release();
    }
  }
  await Promise.all(respelled);
  return lines;
}

async function* asAsync<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

describe('a walk', () => {
  it('goes through directories whose siblings sort between their entries', async () => {
    await mkdir(join(directory, 'a'));
    await writeFile(join(directory, 'a/y'), '');
    await writeFile(join(directory, 'b'), '');
    expect(await walk({ 'a-b': '', 'a/x': '', 'a.b': '', c: { directory: true } }, false)).toEqual([
      'place a-b (undefined)',
      'place a.b (undefined)',
      'enter a (directory)',
      'place a/x (undefined)',
      'extra a/y',
      'enter c (undefined)',
      'place c (undefined)',
      'extra b',
    ]);
    expect(SafeDirectory.openCount).toBe(1);
  });

  it('reports names that a file system which folds case cannot tell apart, and passes over what is below', async () => {
    const tree = {
      'A/x': '',
      File: '',
      'a/x': '',
      'a/y': '',
      file: '',
      'stra\u00dfe': '',
      STRASSE: '',
      '\u00e9': '',
      'e\u0301': '',
    };
    expect(await walk(tree, true)).toEqual([
      'enter A (undefined)',
      'place A/x (undefined)',
      'place File (undefined)',
      'place STRASSE (undefined)',
      'fail a (conflict)',
      'skip a/x (undefined)',
      'skip a/y (undefined)',
      'place e\u0301 (undefined)',
      'fail file (conflict)',
      'skip file (undefined)',
      'fail stra\u00dfe (conflict)',
      'skip stra\u00dfe (undefined)',
      'fail \u00e9 (conflict)',
      'skip \u00e9 (undefined)',
    ]);
    expect((await walk(tree, false)).filter((line) => line.startsWith('fail'))).toEqual([]);
  });

  it('gives what exists in another spelling that of the tree', async () => {
    await writeFile(join(directory, 'readme'), '');
    expect(await walk({ README: '' }, true)).toEqual(['respell readme README', 'place README (file)']);
    expect(await readdir(directory)).toEqual(['README']);
    expect(await walk({ readme: '' }, false)).toEqual(['place readme (undefined)', 'extra README']);
  });

  it('pauses before it holds too many directories', async () => {
    const deep = Array.from({ length: limits.openDirectoriesCountMax + 5 }, () => 'd').join('/');
    const lines = await walk({ [`${deep}/file`]: '' }, false);
    expect(lines.filter((line) => line === 'pause')).toHaveLength(6);
  });
});
