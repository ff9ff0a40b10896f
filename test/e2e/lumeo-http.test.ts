// The examples of the LumeoFS document's HTTP chapter, pointed at a fresh server: every curl line as it is written, every
// request as it is printed, and the answers of the shape that is printed behind them.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lumeoNames } from '../../src/api/error-map.js';
import { type CairnServerProcess, startCairnServer } from '../support/cairn-process.js';
import { type Answered, ask } from '../support/http-client.js';
import { type Block, misfits, readLumeoDocument } from '../support/lumeo-document.js';
import { answerChecker, type OpenApi } from '../support/openapi.js';
import { describeWith, sharedPath } from '../support/shared.js';

const curl = process.env.PATH?.split(delimiter).find((folder) => existsSync(join(folder, 'curl')));
const contract = sharedPath('contracts/lumeofs-api.md');
const content = 'Hello LumeoFS\n';

describeWith('the LumeoFS document over HTTP', 'curl and the document', curl && contract, (path) => {
  const document = readLumeoDocument(path);
  const blocks = document.blocks(3);
  let directory: string;
  let server: CairnServerProcess;
  let fileId: string;
  let chunkId: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-lumeo-'));
    await writeFile(join(directory, 'test.txt'), content);
    server = await startCairnServer(['--data', join(directory, 'data')]);
  });
  afterAll(async () => {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** With this server, and things that it has, in place of those of the example. */
  const adapted = (text: string) =>
    text
      .replaceAll('localhost:9000', `localhost:${new URL(server.url).port}`)
      .replaceAll('{file_id}', fileId)
      .replaceAll('{node_id}', 'node-1')
      .replaceAll('f_1a2b3c4d5e6f', fileId)
      .replaceAll(/c_abc123|c_def456/g, chunkId);

  async function upload(): Promise<void> {
    const { stdout } = await run(blocks.find(({ language }) => language === 'bash')!);
    const { data } = JSON.parse(stdout) as { data: { file_id: string; chunks: { chunk_id: string }[] } };
    fileId = data.file_id;
    chunkId = data.chunks[0]!.chunk_id;
  }

  /** Runs a block of shell commands in a directory that has `test.txt`. */
  function run({ text }: Block): Promise<{ stdout: string }> {
    return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', adapted(text)], { cwd: directory });
  }

  /** Sends a request as it is printed: a line, headers, an empty line and a body. */
  function send({ text }: Block): Promise<Answered> {
    const [head, ...rest] = adapted(text).split('\n\n');
    const [line, ...lines] = head!.split('\n');
    const [method, target] = line!.split(' ');
    const headers = Object.fromEntries(lines.map((each) => each.split(': ') as [string, string]));
    let body = rest.join('\n\n');
    if (headers['Content-Type'] === 'multipart/form-data') {
      // Printed without the boundary that it uses, and with the line ends of the page.
      headers['Content-Type'] += '; boundary=boundary';
      body = body.replaceAll('\n', '\r\n');
    }
    return ask('h1', server.url + target, {
      method: method!,
      headers,
      body: body === '' ? undefined : Buffer.from(body),
    });
  }

  /** The answer printed for a request; undefined where none is. */
  function printedFor(request: Block): Block | undefined {
    const next = blocks[blocks.indexOf(request) + 1];
    return next?.label.includes('响应') && next.heading === request.heading ? next : undefined;
  }

  beforeAll(upload);

  it.each(blocks.filter(({ language }) => language === 'bash').map((block) => ({ name: block.heading, block })))(
    'runs the curl line of $name',
    async ({ block }) => {
      const { stdout } = await run(block);
      if (block.text.includes('-o downloaded.txt')) {
        expect(stdout).toBe('');
        expect(await readFile(join(directory, 'downloaded.txt'), 'utf8')).toBe(content);
        return;
      }
      const printed = blocks.find(({ heading, language }) => heading === block.heading && language === 'json')!;
      expect(misfits(JSON.parse(printed.text), JSON.parse(stdout))).toEqual([]);
    },
  );

  it.each(
    blocks.filter(({ language }) => language === 'http').map((block) => ({ name: block.text.split('\n')[0]!, block })),
  )('answers $name as printed', async ({ name, block }) => {
    // The example before may have deleted it.
    if (block.text.includes('{file_id}')) await upload();
    const answer = await send(block);
    expect(answer.status, answer.body.toString()).toBe(200);
    const printed = printedFor(block);
    if (printed !== undefined && printed.language === '') {
      const [head] = printed.text.split('\n\n');
      for (const line of head!.split('\n')) {
        const [header, value] = line.split(': ') as [string, string];
        const wanted = header === 'Content-Length' ? String(content.length) : value;
        expect(answer.headers[header.toLowerCase()]).toBe(wanted);
      }
      expect(answer.body.toString()).toBe(content);
      return;
    }
    const body: unknown = JSON.parse(answer.body.toString());
    if (printed !== undefined) expect(misfits(JSON.parse(printed.text), body)).toEqual([]);
    if (name.startsWith('DELETE /api/v1/files')) expect(body).toEqual(JSON.parse(printed!.text));
    const { body: description } = await ask('h1', `${server.url}/api/v1/openapi.json`);
    const check = answerChecker(JSON.parse(description.toString()) as OpenApi);
    const [method, target] = name.split(' ');
    expect(check(method!, target!, answer.status, body)).toBe('');
  });

  it('prints errors as they are printed', async () => {
    const [printed] = document.blocks(7).map(({ text }) => JSON.parse(text) as object);
    await upload();
    const path = `/api/v1/files/${fileId}`;
    await ask('h1', server.url + path, { method: 'DELETE' });
    const { status, headers, body } = await ask('h1', server.url + path);
    const error = JSON.parse(body.toString()) as object;
    expect([status, headers['content-type']]).toEqual([404, 'application/json']);
    expect(misfits(printed, error)).toEqual([]);
    expect(error).toEqual({ ...printed, details: { file_id: fileId, timestamp: expect.any(String) } });
  });

  it('gives every error the name of its number', () => {
    const named = Object.entries(lumeoNames).map(([code, name]) => ({ code: Number(code), name }));
    expect([{ code: 0, name: 'SUCCESS' }, ...named]).toEqual(document.errors);
  });

  it('has every route of the list', async () => {
    const { body } = await ask('h1', `${server.url}/api/v1/openapi.json`);
    const { paths } = JSON.parse(body.toString()) as OpenApi;
    const missing = document.routes.filter(
      ({ method, path: each }) => paths[each]?.[method.toLowerCase()] === undefined,
    );
    expect(document.routes.length).toBeGreaterThanOrEqual(13);
    expect(missing).toEqual([]);
  });

  it('knows none of the things that the examples are about', async () => {
    const json = { 'content-type': 'application/json' };
    const strangers = [
      { method: 'GET', path: '/api/v1/files/f_1a2b3c4d5e6f', code: 1002 },
      { method: 'POST', path: '/api/v1/nodes/datanode-1/maintenance', code: 1005 },
      { method: 'POST', path: '/api/v1/recovery/start', body: '{"chunk_ids": ["c_abc123"]}', code: 1004 },
    ];
    for (const { method, path: target, body, code } of strangers) {
      const sent = body === undefined ? {} : { headers: json, body: Buffer.from(body) };
      const answer = await ask('h1', server.url + target, { method, ...sent });
      expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([404, code]);
    }
  });
});
