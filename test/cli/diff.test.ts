import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-diff-'));
  server = await startCairnServer(['--data', directory]);
  client = connect(server.url);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (args: readonly string[]) => runCairn(['diff', ...args], { server: server.url });

describe('diff', () => {
  it('says nothing about equal trees', async () => {
    const tree = await uploadTree(client, { a: 'a', 'b/c': { link: '../a' } });
    expect(await run([tree, tree])).toMatchObject({ code: exitCodes.ok, stdout: '', stderr: '' });
  });

  it('tells what was added, deleted and modified, and in what', async () => {
    const before = await uploadTree(client, {
      same: 'same',
      gone: 'gone',
      content: 'old',
      mode: 'm',
      both: 'old',
      link: { link: 'same' },
      type: 'file',
      'new\nline': 'old',
    });
    const after = await uploadTree(client, {
      same: 'same',
      added: 'added',
      content: 'new',
      mode: { content: 'm', executable: true },
      both: { content: 'new', readonly: true },
      link: { link: 'content' },
      type: { link: 'same' },
      'new\nline': 'new',
    });
    const { code, stdout, stderr } = await run([before, after]);
    expect({ code, stderr }).toEqual({ code: exitCodes.different, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toEqual([
      'A added',
      'M both (content, mode)',
      'M content',
      'D gone',
      'M link',
      'M mode (mode)',
      'M "new\\nline"',
      'M type (type)',
    ]);
    const json = await run([before, after, '--json']);
    expect(json.code).toBe(exitCodes.different);
    const changes = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(changes).toHaveLength(8);
    expect(changes[0]).toMatchObject({ change: 'added', path: 'added', after: { kind: 'file', size: 5 } });
    expect(changes[5]).toMatchObject({
      change: 'modified',
      path: 'mode',
      differences: ['mode'],
      before: { executable: false },
      after: { executable: true },
    });
  });

  it('is in trouble without one of them', async () => {
    const tree = await uploadTree(client, { a: 'a' });
    expect((await run([tree, '00'.repeat(32)])).code).toBe(exitCodes.notFound);
    expect((await run([tree, 'x'])).code).toBe(exitCodes.usage);
  });
});
