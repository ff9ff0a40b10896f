// LMOF as a client speaks it to a server, through a plain socket: the examples of the LumeoFS document, and both versions.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DownloadRequestSchema,
  ListRequestSchema,
  type ListResponse,
  ListResponseSchema,
  UploadRequestSchema,
} from '../../src/gen/cairn/lmof/v2/lmof_pb.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { ask } from '../support/http-client.js';
import { LmofClient } from '../support/lmof-client.js';
import { misfits, readLumeoDocument } from '../support/lumeo-document.js';
import { seededRandom } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';

let directory: string;
let server: CairnServerProcess;
let client: LmofClient;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-lmof-'));
});

afterEach(async () => {
  client.stream.destroy();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

async function serve(args: readonly string[] = []): Promise<void> {
  server = await startCairnServer(['--data', join(directory, 'data'), ...args]);
  client = await speaker();
}

async function speaker(): Promise<LmofClient> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  return new LmofClient(socket);
}

/** An example is JSON but for what stands behind two slashes. */
const withoutComments = (text: string) => JSON.parse(text.replaceAll(/\s*\/\/ .*$/gm, '')) as Record<string, unknown>;

describeWith('the LumeoFS document over LMOF', 'the document', sharedPath('contracts/lumeofs-api.md'), (path) => {
  it('answers its example with the shape that it prints', async () => {
    await serve();
    const [request, response] = readLumeoDocument(path)
      .blocks(4)
      .filter(({ language }) => language === 'json')
      .map(({ text }) => withoutComments(text));
    client.sendJson('UPLOAD', BigInt(request!.request_id as number), request!.data);
    const answer = await client.receiveJson();
    expect(misfits(response, answer)).toEqual([]);
    expect(answer).toMatchObject({ type: 'UPLOAD_RESPONSE', request_id: 12_345 });
  });
});

describe('a server', () => {
  it('keeps one set of files for LMOF and HTTP', async () => {
    await serve();
    const bytes = seededRandom(4).bytes(3_000_000);
    client.sendMessage('UPLOAD', 1n, UploadRequestSchema, { fileName: 'large', fileSize: 3_000_000n }, bytes);
    const { outcome } = (await client.receiveMessage()).response;
    if (outcome.case !== 'upload') throw new Error(`${outcome.case}`);
    const { fileId } = outcome.value;
    const downloaded = await ask('h1', `${server.url}/api/v1/files/${fileId}`);
    expect(downloaded.body.equals(bytes)).toBe(true);

    // What is known of a file is the same, too, in the same words.
    const overHttp = async (path: string) => JSON.parse(`${(await ask('h1', server.url + path)).body}`).data;
    const list = await overHttp('/api/v1/files');
    client.sendJson('LIST', 3n, {});
    expect((await client.receiveJson()).data).toEqual(list);
    client.sendMessage('LIST', 4n, ListRequestSchema, {});
    const { outcome: listed } = (await client.receiveMessage()).response;
    expect(toJson(ListResponseSchema, listed.value as ListResponse, { useProtoFieldName: true })).toEqual({
      ...list,
      total: `${list.total}`,
      files: [{ ...list.files[0], file_size: '3000000', version: '1' }],
    });
    const { chunks } = await overHttp(`/api/v1/files/${fileId}/chunks`);
    expect(outcome.value.chunks.map(({ chunkId, digest, checksum }) => [chunkId, digest, checksum])).toEqual(
      chunks.map((chunk: Record<string, string>) => [chunk.chunk_id, chunk.digest, chunk.checksum]),
    );

    client.sendJson('DOWNLOAD', 2n, { file_id: fileId, offset: 2_999_990 });
    const { data } = await client.receiveJson();
    expect(data).toMatchObject({ length: 10, file_content: Buffer.from(bytes.subarray(2_999_990)).toString('base64') });
  });

  it('answers many requests at once, and other connections meanwhile', async () => {
    await serve();
    const other = await speaker();
    const names = Array.from({ length: 100 }, (_, i) => `file ${i}`);
    for (const [i, name] of names.entries()) {
      client.sendJson('UPLOAD', BigInt(i), { file_name: name, file_content: Buffer.from(name).toString('base64') });
    }
    const ids = new Map<string, string>();
    for (const _ of names) {
      const { request_id, data } = await client.receiveJson();
      ids.set(names[request_id]!, (data as { file_id: string }).file_id);
    }
    other.sendMessage('LIST', 1n, ListRequestSchema, { pageSize: 100 });
    expect((await other.receiveMessage()).response.outcome.value).toMatchObject({ total: 100n });
    for (const [i, name] of names.entries()) {
      other.sendMessage('DOWNLOAD', BigInt(i), DownloadRequestSchema, { fileId: ids.get(name)! });
    }
    const contents = new Map<number, string>();
    for (const _ of names) {
      const { requestId, content } = await other.receiveMessage();
      contents.set(Number(requestId), `${content}`);
    }
    expect(names.map((_, i) => contents.get(i))).toEqual(names);
    other.stream.destroy();
  });

  it('takes nothing new in maintenance, not even what it has', async () => {
    await serve();
    const upload = (id: bigint) =>
      client.sendJson('UPLOAD', id, { file_name: 'a', file_content: Buffer.from('a').toString('base64') });
    upload(1n);
    const { data } = await client.receiveJson();
    const maintenance = `${server.url}/api/v1/nodes/node-1/maintenance`;
    await ask('h1', maintenance, { method: 'POST' });
    upload(2n);
    expect(await client.receiveJson()).toMatchObject({ code: 2001, error: 'NO_AVAILABLE_NODE' });
    const { file_id } = data as { file_id: string };
    client.sendMessage('UPLOAD', 3n, UploadRequestSchema, { fileName: 'a', fileSize: 1n }, Buffer.from('a'));
    expect((await client.receiveMessage()).response.outcome).toMatchObject({ case: 'failure', value: { code: 2001 } });
    client.sendJson('DOWNLOAD', 4n, { file_id });
    expect(await client.receiveJson()).toMatchObject({ data: { length: 1 } });
    await ask('h1', maintenance, { method: 'DELETE' });
    upload(5n);
    expect(await client.receiveJson()).toMatchObject({ data: { file_id, version: 2 } });
  });

  it('lets nobody in without credentials once there are accounts', async () => {
    const data = join(directory, 'data');
    for (const [name, role] of [
      ['root', 'admin'],
      ['ann', 'reader'],
    ] as const) {
      const options = { input: 'a good password\n' };
      const added = await runCairn(['user', 'add', name, '--role', role, '--data', data], options);
      expect(added.stderr).toBe('');
    }
    await serve();
    client.sendJson('LIST', 1n, {});
    expect(await client.receiveJson()).toMatchObject({ code: 5001, error: 'AUTHENTICATION_FAILED' });
    client.sendJson('AUTH', 2n, { username: 'ann', password: 'a bad password' });
    expect(await client.receiveJson()).toMatchObject({ code: 5001, type: 'AUTH_RESPONSE' });
    client.sendJson('AUTH', 3n, { username: 'ann', password: 'a good password' });
    expect(await client.receiveJson()).toMatchObject({ data: { user: 'ann', roles: ['reader'] } });
    client.sendJson('LIST', 4n, {});
    expect(await client.receiveJson()).toMatchObject({ data: { total: 0 } });
    client.sendJson('UPLOAD', 5n, { file_name: 'a', file_content: '' });
    expect(await client.receiveJson()).toMatchObject({ code: 5002, error: 'PERMISSION_DENIED' });
  });
});
