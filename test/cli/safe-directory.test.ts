import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placeFile, placeSymlink } from '../../src/cli/place-entry.js';
import { entryPath, SafeDirectory } from '../../src/cli/safe-directory.js';

let directory: string;
let root: SafeDirectory;
const rights = { executable: false, readonly: false };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-safe-'));
  await mkdir(join(directory, 'outside'));
  await writeFile(join(directory, 'outside/file'), 'canary');
  await mkdir(join(directory, 'in/child'), { recursive: true });
  root = SafeDirectory.open(join(directory, 'in'));
});

afterEach(async () => {
  SafeDirectory.closeAll();
  await rm(directory, { recursive: true, force: true });
});

describe('SafeDirectory', () => {
  it.each(['', '.', '..', 'a/b', '/', '../outside', 'a\0', Buffer.from('..'), Buffer.from('a/b')])(
    'takes no name that is more than one: %j',
    (name) => {
      expect(() => entryPath(root.path, name)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => root.remove(name)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => placeFile(root.path, String(name), rights, Buffer.from('x'))).toThrow();
    },
  );

  it('opens no link as a directory', async () => {
    await symlink('../outside', join(directory, 'in/link'));
    expect(() => root.openChild('link')).toThrow(/ENOTDIR|ELOOP/);
    expect(() => root.openChildByForce('link')).toThrow(/ENOTDIR|ELOOP/);
    root.remove('link');
    expect(await readdir(join(directory, 'outside'))).toEqual(['file']);
  });

  it.runIf(process.platform === 'linux')('stays in a directory that was swapped for a link meanwhile', async () => {
    const child = root.openChild('child');
    await rename(join(directory, 'in/child'), join(directory, 'in/moved'));
    await symlink('../outside', join(directory, 'in/child'));
    placeFile(child.path, 'file', rights, Buffer.from('mine'));
    placeSymlink(child.path, 'link', 'file');
    child.makeChild('sub').release();
    await writeFile(join(directory, 'in/moved/extra'), '');
    child.remove('extra');
    expect((await readdir(join(directory, 'in/moved'))).sort()).toEqual(['file', 'link', 'sub']);
    expect(await readdir(join(directory, 'outside'))).toEqual(['file']);
    expect(await readFile(join(directory, 'outside/file'), 'utf8')).toBe('canary');
  });

  it('is open until everybody has released it', () => {
    const before = SafeDirectory.openCount;
    const child = root.openChild('child').retain();
    child.release();
    expect(SafeDirectory.openCount).toBe(before + 1);
    child.release();
    expect(SafeDirectory.openCount).toBe(before);
  });
});
