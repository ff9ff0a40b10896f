import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, formatHash } from '../../src/base/digest.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
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

async function listed(client: CairnClient): Promise<string[]> {
  const found: string[] = [];
  for await (const { hash, size } of client.list()) found.push(`${formatHash(hash)} ${size}`);
  return found;
}

describe('rebuild', () => {
  it.each(['whole', 'damaged', 'deleted'])('loses nothing and brings nothing back (index %s)', async (state) => {
    const server = await startCairnServer(['--data', data]);
    const client = connect(server.url);
    const digests: Digest[] = [];
    for (const size of [10, 1000, 300_000]) digests.push((await client.put(Buffer.alloc(size, size))).digest);
    const [small, deleted, large] = digests as [Digest, Digest, Digest];
    await client.delete([deleted.hash]);
    const before = await listed(client);
    client.close();
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
    const after = connect(again.url);
    expect(await listed(after)).toEqual(before);
    for (const digest of [small, large]) {
      const pieces: Uint8Array[] = [];
      for await (const piece of after.get(digest)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(Buffer.alloc(digest.size, digest.size))).toBe(true);
    }
    expect(await after.stat([deleted.hash])).toEqual([undefined]);
    after.close();
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
