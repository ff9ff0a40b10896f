// The examples of the README and of docs/HTTP.md, run as they stand there, against a server on another port.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { projectRoot } from '../support/project-root.js';
import { describeWith } from '../support/shared.js';
import { readProjectFile } from '../support/source-tree.js';

const defaultUrl = 'http://127.0.0.1:9000';
const curl = process.env.PATH?.split(delimiter).find((folder) => existsSync(join(folder, 'curl')));

/** Code of the first block that contains a text. */
function blockWith(text: string, page: string): string {
  const blocks = [...readProjectFile(page).matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
  const block = blocks.find((code) => code.includes(text));
  if (block === undefined) throw new Error(`${page} has no example with ${text}`);
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
    const env = { ...process.env, CAIRN_SERVER: url, TMPDIR: directory };
    const options = { cwd: projectRoot, env, timeout: 60_000 };
    const { stdout } = await promisify(execFile)(program, [...args, code.replaceAll(defaultUrl, url)], options);
    return stdout;
  }
  const bash = (text: string, page = 'README.md') => run('bash', ['-euo', 'pipefail', '-c'], blockWith(text, page));

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

  it('shows files', async () => {
    const output = await bash('curl -F "file=@README.md"');
    expect(output).toContain('"file_name":"README.md"');
    expect(output.endsWith('Cairn')).toBe(true);
  });

  it('shows files at length, in docs/HTTP.md', async () => {
    const lines = (await bash('hello.txt', 'docs/HTTP.md')).split('\n');
    expect(lines.filter((line) => !line.startsWith('{'))).toEqual([
      'Hello, LumeoFS!',
      'LumeoFS!',
      'Hello, LumeoFS!',
      '',
    ]);
    const [uploaded, listed, second, restored, deleted] = lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    expect([uploaded.data.version, listed.data.total, second.data.version, restored.data.version]).toEqual([
      1, 1, 2, 3,
    ]);
    expect(deleted).toEqual({ code: 0, message: 'success' });
  });

  it('shows uploads that resume, in docs/HTTP.md', async () => {
    const [first, second, completed] = (await bash('numbers.txt', 'docs/HTTP.md'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.data.uploaded_size).toBe(300_000);
    expect(second.data.uploaded_size).toBe(second.data.file_size);
    expect(completed.data.file_size).toBe(second.data.file_size);
  });

  it('shows RPC without schema files', async () => {
    const output = await bash('npx buf curl');
    expect(output).toContain('zako.v1.transport.Transport/Download');
    expect(output).toContain(Buffer.from('hello').toString('base64'));
  });

  it('shows the library', async () => {
    expect(await run(process.execPath, ['--input-type=module', '-e'], blockWith("from 'cairn'", 'README.md'))).toBe(
      'ell',
    );
  });

  it('shows the client of files, in docs/HTTP.md', async () => {
    const code = [
      "import { createReadStream, createWriteStream, writeFileSync, readFileSync } from 'node:fs';",
      "import { pipeline } from 'node:stream/promises';",
      "writeFileSync('/tmp/hello.txt', 'hello');",
      blockWith('new FileClient', 'docs/HTTP.md').replace('files.close();', ''),
      blockWith('files.uploadBatch', 'docs/HTTP.md'),
      "process.stdout.write(part + ['a', 'b'].map((name) => readFileSync('/tmp/copy-of-' + name + '.txt')).join());",
      'files.close();',
    ].join('\n');
    const here = code.replaceAll('/tmp/', `${directory}/`).replaceAll('127.0.0.1:9000', new URL(url).host);
    expect(await run(process.execPath, ['--input-type=module', '-e'], here)).toBe('LumeoFS!a,hello');
  });
});
