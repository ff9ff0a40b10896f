import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { runCairn, startCairnServer } from '../support/cairn-process.js';

let directory: string;
let data: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-rebuild-test-'));
  data = join(directory, 'data');
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('rebuild', () => {
  it.each(['whole', 'damaged', 'deleted'])('loses nothing and brings nothing back (index %s)', async (state) => {
    const server = await startCairnServer(['--data', data]);
    const names: string[] = [];
    for (const size of [10, 1000, 300_000]) {
      const { stdout } = await runCairn(['put', '-'], { server: server.url, input: Buffer.alloc(size, size) });
      names.push(stdout.split(' ')[0]!);
    }
    await runCairn(['rm', names[1]!], { server: server.url });
    const listed = (await runCairn(['ls'], { server: server.url })).stdout;
    await server.stop();

    if (state === 'deleted') await rm(join(data, 'index'), { recursive: true });
    if (state === 'damaged') {
      for (const file of await readdir(join(data, 'index'))) await writeFile(join(data, 'index', file), 'nonsense');
    }
    if (state === 'whole') await writeFile(join(data, 'index', 'marker'), '');
    const rebuilt = await runCairn(['rebuild', '--data', data]);
    expect(rebuilt).toMatchObject({ code: exitCodes.ok, stdout: '2 blobs, 293.0 KiB\n', stderr: '' });
    expect(await readdir(join(data, 'index'))).not.toContain('marker');
    expect((await runCairn(['rebuild', '--json', '--data', data])).stdout).toBe('{"blobs":2,"bytes":300010}\n');

    const again = await startCairnServer(['--data', data]);
    expect((await runCairn(['ls'], { server: again.url })).stdout).toBe(listed);
    for (const [name, size] of [[names[0]!, 10] as const, [names[2]!, 300_000] as const]) {
      const { bytes } = await runCairn(['get', name], { server: again.url });
      expect(Buffer.compare(bytes, Buffer.alloc(size, size))).toBe(0);
    }
    expect((await runCairn(['stat', names[1]!], { server: again.url })).code).toBe(exitCodes.notFound);
    await again.stop();
  });

  it('leaves alone what a server has open, and what is no store', async () => {
    const server = await startCairnServer(['--data', data]);
    const busy = await runCairn(['rebuild', '--data', data]);
    expect(busy).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(busy.stderr).toContain('in use');
    await server.stop();

    const empty = join(directory, 'empty');
    const refused = await runCairn(['rebuild', '--data', empty]);
    expect(refused).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(await readdir(directory)).not.toContain('empty');
    expect((await runCairn(['rebuild'])).code).toBe(exitCodes.usage);
  });
});
