import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { touches } from '../support/file-tree.js';
import { uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-verify-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
  client = connect(server.url);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (args: readonly string[]) => runCairn(args, { server: server.url, cwd: directory });

describe('verify', () => {
  it('reports every difference and changes nothing', async () => {
    const large = new Uint8Array(3_000_000).fill(1);
    const tree = await uploadTree(client, {
      'd/content': 'content',
      'd/size': 'size',
      'd/mode': 'mode',
      'd/both': 'both',
      'd/missing': 'missing',
      'd/type': 'type',
      link: { link: 'd/content' },
      'link-gone': { link: 'd' },
      hole: { directory: true },
      'hole-filled': { directory: true },
      'gone/a': 'a',
      'gone/b': { directory: true },
      large,
    });
    expect((await run(['checkout', tree, 'out'])).code).toBe(exitCodes.ok);
    const same = await run(['verify', tree, 'out']);
    expect(same).toMatchObject({ code: exitCodes.ok, stdout: '' });
    expect(same.stderr).toMatch(/^13 entries: 0 differences/);

    const out = (path: string) => join(directory, 'out', path);
    await writeFile(out('d/content'), 'CONTENT');
    await writeFile(out('d/size'), 'longer');
    await chmod(out('d/mode'), 0o755);
    await writeFile(out('d/both'), 'BOTH');
    await chmod(out('d/both'), 0o444);
    for (const path of ['d/missing', 'd/type', 'link', 'link-gone', 'hole', 'gone']) {
      await rm(out(path), { recursive: true });
    }
    await mkdir(out('d/type'));
    await symlink('d/size', out('link'));
    await writeFile(out('hole-filled/extra'), '');
    await mkdir(out('extra/more'), { recursive: true });
    await writeFile(out('large'), large.fill(2, 2_999_999));
    const before = await touches(out('.'));
    const { code, stdout, stderr } = await run(['verify', tree, 'out']);
    expect(code).toBe(exitCodes.different);
    expect(stdout.trimEnd().split('\n').sort()).toEqual([
      'content d/content',
      'content d/size',
      'content large',
      'content link',
      'content,mode d/both',
      'extra extra/',
      'extra hole-filled/extra',
      'missing d/missing',
      'missing gone/a',
      'missing gone/b',
      'missing hole',
      'missing link-gone',
      'mode d/mode',
      'type d/type',
    ]);
    expect(stderr).toMatch(/^13 entries: 14 differences/);
    expect(await touches(out('.'))).toEqual(before);

    const json = await run(['verify', tree, 'out', '--json']);
    expect(json.stdout.split('\n')).toContain('{"path":"d/both","differences":["content","mode"]}');
    expect(JSON.parse(json.stderr)).toMatchObject({ entries: 13, differences: 14 });
  });

  it('needs the tree and the directory', async () => {
    const tree = await uploadTree(client, { a: 'a' });
    expect((await run(['verify', tree, 'nowhere'])).code).toBe(exitCodes.failed);
    expect((await run(['verify', '00'.repeat(32), '.'])).code).toBe(exitCodes.notFound);
  });
});
