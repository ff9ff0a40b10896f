// Patterns that keep entries out of a tree, held against what git makes of them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { excludes } from '../../src/cli/sync-excludes.js';

const patterns = [
  '# a comment',
  '*.log',
  '!important.log',
  '/top',
  'build/',
  'doc/*.txt',
  '**/deep/*.tmp',
  'a/**/b',
  'sp\\ ace',
  '\\#hash',
  '\\!bang',
  'q?.c',
  '[ab]x',
  'trailing   ',
  'UPPER',
  '..odd',
];
const paths = [
  'x.log',
  'd/x.log',
  'important.log',
  'd/important.log',
  'top',
  'd/top',
  'build/',
  'd/build/',
  'build',
  'doc/a.txt',
  'doc/s/a.txt',
  'x/y/deep/f.tmp',
  'deep/f.tmp',
  'a/b',
  'a/x/b',
  'a/x/y/b',
  'sp ace',
  '#hash',
  '!bang',
  'q1.c',
  'q12.c',
  'ax',
  'cx',
  'trailing',
  'upper',
  'UPPER',
  '..odd',
  '...',
  '# a comment',
];

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-excludes-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const excluded = (isExcluded: ReturnType<typeof excludes>) =>
  paths.filter((path) => isExcluded!(path.replace(/\/$/, ''), path.endsWith('/')));

describe('excludes', () => {
  it('leaves out what git would ignore', () => {
    execFileSync('git', ['init', '-q', directory]);
    writeFileSync(join(directory, '.gitignore'), `${patterns.join('\n')}\n`);
    const check = ['-C', directory, '-c', 'core.ignoreCase=false', 'check-ignore', '--no-index', '-z', '--stdin'];
    const ignored = execFileSync('git', check, { input: paths.join('\0') }).toString();
    const want = ignored.split('\0').slice(0, -1);
    expect(want.length).toBeGreaterThan(15);
    expect(excluded(excludes({ exclude: patterns }))).toEqual(want);
    expect(excluded(excludes({ excludeFrom: [join(directory, '.gitignore')] }))).toEqual(want);
  });

  it('lets later patterns win, those of the command line over those of files', () => {
    writeFileSync(join(directory, 'list'), '*.log\r\n');
    const isExcluded = excludes({ exclude: ['!x.log'], excludeFrom: [join(directory, 'list')] });
    expect(excluded(isExcluded)).toEqual(['important.log', 'd/important.log']);
    expect(excludes({})).toBeUndefined();
    const absent = () => excludes({ excludeFrom: [join(directory, 'absent')] });
    expect(absent).toThrowError(expect.objectContaining({ code: 'failed_precondition' }));
  });
});
