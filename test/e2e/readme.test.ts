// The README's examples, run as they stand there, against a server on another port.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/shared.js';
import { projectRoot, readProjectFile } from '../support/source-tree.js';

const defaultUrl = 'http://127.0.0.1:9000';
const curl = process.env.PATH?.split(delimiter).find((folder) => existsSync(join(folder, 'curl')));

/** Code of the first block that contains a text. */
function blockWith(text: string): string {
  const blocks = [...readProjectFile('README.md').matchAll(/^```(?:ts)?\n([\s\S]*?)^```/gm)].map(([, code]) => code!);
  const block = blocks.find((code) => code.includes(text));
  if (block === undefined) throw new Error(`the README has no example with ${text}`);
  return block;
}

describeWith('the README', 'curl', curl, () => {
  let directory: string;
  let server: ReturnType<typeof spawn>;
  let url: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-readme-'));
    const args = [join(projectRoot, 'bin/cairn'), 'serve', '--listen', '127.0.0.1:0', '--data', directory];
    server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(createInterface({ input: server.stdout! }), 'line')) as [string];
    url = line.replace('listening on ', '');
  });

  afterAll(async () => {
    server.kill();
    await once(server, 'exit');
    await rm(directory, { recursive: true, force: true });
  });

  async function run(program: string, args: readonly string[], code: string): Promise<string> {
    const env = { ...process.env, CAIRN_SERVER: url };
    const options = { cwd: projectRoot, env, timeout: 60_000 };
    const { stdout } = await promisify(execFile)(program, [...args, code.replaceAll(defaultUrl, url)], options);
    return stdout;
  }
  const bash = (text: string) => run('bash', ['-euo', 'pipefail', '-c'], blockWith(text));

  it('shows the command line', async () => {
    const lines = (await bash('bin/cairn put')).split('\n');
    expect(lines[0]).toMatch(/^blake3:[0-9a-f]{64} \d+ README\.md$/);
    expect(lines.slice(2, 4)).toEqual(lines.slice(0, 2));
    // The range has no line end of its own, so the help follows at once.
    expect(lines).toContain('ellUsage: cairn [options] [command]');
  });

  it('shows directory trees', async () => {
    const lines = (await bash('bin/cairn sync')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^-rw- \d+ blake3:[0-9a-f]{64} ARCHITECTURE\.md$/);
    expect(lines.slice(-3)).toEqual(['# Formats', 'M FORMATS.md', 'they differ']);
  });

  it('shows plain HTTP', async () => {
    const output = await bash('curl --data-binary');
    expect(output).toContain('"digest":"blake3:');
    expect(output.endsWith('helloell')).toBe(true);
  });

  it('shows RPC without schema files', async () => {
    const output = await bash('npx buf curl');
    expect(output).toContain('zako.v1.transport.Transport/Download');
    expect(output).toContain(Buffer.from('hello').toString('base64'));
  });

  it('shows the library', async () => {
    expect(await run(process.execPath, ['--input-type=module', '-e'], blockWith("from 'cairn'"))).toBe('ell');
  });
});
