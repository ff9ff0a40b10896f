// What a directory holds, in the order of a tree, and what is left out of it.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { type WalkedEntry, type WalkOptions, walk } from '../../src/cli/walk.js';
import { comparePaths } from '../../src/tree/tree-item.js';
import { seededRandom } from '../support/random.js';

let directory: string;
let problems: string[];
let warnings: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-walk-'));
  problems = [];
  warnings = [];
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function walked(options: Partial<WalkOptions> = {}): WalkedEntry[] {
  return [
    ...walk(directory, {
      onProblem: (path, error) => problems.push(`${path}: ${errorCode(error)}: ${error.message}`),
      onWarning: (_, message) => warnings.push(message),
      ...options,
    }),
  ];
}

function file(path: string, content = ''): void {
  mkdirSync(join(directory, path, '..'), { recursive: true });
  writeFileSync(join(directory, path), content);
}

const names = (entries: readonly WalkedEntry[]) => entries.map(({ kind, path }) => `${kind} ${path}`);

describe('walk', () => {
  it('orders by the bytes of whole paths, where a slash comes after a dot and an empty directory before both', () => {
    for (const path of ['d/x', 'd.txt', 'd!', 'd0', 'e.txt', 'é', '\u{10000}', '\uffff', 'Z/y/x']) file(path);
    mkdirSync(join(directory, 'e'));
    expect(names(walked())).toEqual([
      'file Z/y/x',
      'file d!',
      'file d.txt',
      'file d/x',
      'file d0',
      'directory e',
      'file e.txt',
      'file é',
      'file \uffff',
      'file \u{10000}',
    ]);
  });

  it('keeps to that order in random directories', () => {
    const random = seededRandom(7);
    const letters = ['a', 'A', '.', '-', '0', ' ', 'é', '\u{1f600}', '\uffee'];
    for (let i = 0; i < 400; i++) {
      const parts = Array.from({ length: random.between(1, 4) }, () => {
        return `n${Array.from({ length: random.between(0, 3) }, () => letters[random.below(letters.length)]).join('')}`;
      });
      try {
        if (random.chance(0.2)) mkdirSync(join(directory, ...parts), { recursive: true });
        else file(parts.join('/'));
      } catch {
        // A file where a directory would be, or the other way round.
      }
    }
    const paths = walked().map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(50);
    expect(paths).toEqual(paths.toSorted(comparePaths));
    const found = execFileSync('find', [
      directory,
      '-mindepth',
      '1',
      '(',
      '-not',
      '-type',
      'd',
      '-o',
      '-empty',
      ')',
      '-print0',
    ]);
    const want = found.toString().split('\0').slice(0, -1);
    expect(new Set(paths)).toEqual(new Set(want.map((path) => path.slice(directory.length + 1))));
  });

  it('records links and follows none, loops included', () => {
    file('real/file');
    symlinkSync('.', join(directory, 'real', 'loop'));
    symlinkSync('real', join(directory, 'link'));
    symlinkSync('nowhere', join(directory, 'broken'));
    symlinkSync('self', join(directory, 'self'));
    expect(walked().filter(({ kind }) => kind === 'symlink')).toEqual([
      { kind: 'symlink', path: 'broken', target: 'nowhere' },
      { kind: 'symlink', path: 'link', target: 'real' },
      { kind: 'symlink', path: 'real/loop', target: '.' },
      { kind: 'symlink', path: 'self', target: 'self' },
    ]);
    expect(problems).toEqual([]);
  });

  it('reports names and targets that are not UTF-8 in hex, beside names that look like their decoding', () => {
    mkdirSync(join(directory, 'd'));
    const bytes = (name: Buffer) => Buffer.concat([Buffer.from(`${directory}/d/`), name]);
    writeFileSync(bytes(Buffer.from([0x61, 0xff])), 'bad');
    writeFileSync(bytes(Buffer.from([0x61, 0xfe])), 'bad');
    mkdirSync(bytes(Buffer.from([0xc3])));
    file('d/a\ufffd', 'good');
    file('d/b');
    symlinkSync(Buffer.from([0x74, 0x80]), join(directory, 'link'));
    symlinkSync('t\ufffd', join(directory, 'good'));
    expect(names(walked())).toEqual(['file d/a\ufffd', 'file d/b'.replace('b', 'b'), 'symlink good'].toSorted());
    expect(problems).toHaveLength(4);
    expect(problems.join('\n')).toContain(`${Buffer.from('d/a').toString('hex')}ff`);
    expect(problems.join('\n')).toContain(`${Buffer.from('d/a').toString('hex')}fe`);
    expect(problems.join('\n')).toContain(`${Buffer.from('d/').toString('hex')}c3`);
    expect(problems.join('\n')).toContain('7480');
    expect(problems.every((line) => line.includes('invalid_argument'))).toBe(true);
  });

  it('reports what is no file, directory or link, and passes it over', async () => {
    file('file');
    mkdirSync(join(directory, 'only-pipe'));
    execFileSync('mkfifo', [join(directory, 'only-pipe', 'pipe')]);
    const server = createServer().listen(join(directory, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect(names(walked())).toEqual(['file file', 'directory only-pipe']);
    server.close();
    expect(problems.toSorted()).toEqual([
      'only-pipe/pipe: failed_precondition: only-pipe/pipe is a pipe, left out',
      'socket: failed_precondition: socket is a socket, left out',
    ]);
  });

  it('does not enter what is excluded, nor complain of it', () => {
    file('keep/a');
    file('keep/skip.log');
    file('skip/deep/b');
    execFileSync('mkfifo', [join(directory, 'skip.pipe')]);
    const entered: string[] = [];
    const isExcluded = (path: string, isDirectory: boolean) => /skip/.test(path) && (isDirectory || path.includes('.'));
    expect(names(walked({ isExcluded, onDirectory: (path) => entered.push(path) }))).toEqual(['file keep/a']);
    expect(entered).toEqual([directory, join(directory, 'keep')]);
    expect(problems).toEqual([]);
  });

  it('warns of names that differ by case alone, and of paths too long for some systems, and keeps both', () => {
    for (const path of ['d/Readme', 'd/README', 'e/readme', 'ä', 'Ä']) file(path);
    const long = Array.from({ length: 6 }, (_, i) => `${i}`.repeat(200)).join('/');
    file(long);
    expect(walked()).toHaveLength(6);
    expect(warnings.toSorted()).toEqual([
      expect.stringMatching(/^[\d/]+ has 1205 bytes, more than some systems take$/),
      expect.stringMatching(/^d\/(Readme and d\/README|README and d\/Readme) are the same name/),
      expect.stringMatching(/^(ä and Ä|Ä and ä) are the same name/),
    ]);
    expect(1205).toBeGreaterThan(limits.portablePathBytesMax);
  });

  it('goes deeper than any stack, and fails when there is no directory', () => {
    const depth = 1500;
    file(`${'d/'.repeat(depth)}file`);
    expect(walked().map(({ path }) => path.length)).toEqual([2 * depth + 4]);
    rmSync(directory, { recursive: true });
    expect(() => walked()).toThrowError(expect.objectContaining({ code: 'failed_precondition' }));
  });
});
