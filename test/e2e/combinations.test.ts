// What servers are made of, put together: workers with TLS, with LMOF, with each engine of the metadata. Whatever it is made
// of, a server keeps the same files for everybody who speaks to it, and has them when it comes back.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/client.js';
import { FileClient } from '../../src/client/files/file-client.js';
import { DownloadRequestSchema, UploadRequestSchema } from '../../src/gen/cairn/lmof/v2/lmof_pb.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { type CertificateFile, useAuthority } from '../support/certificates.js';
import { etcdProgram, startEtcd } from '../support/etcd.js';
import { freePorts } from '../support/free-ports.js';
import { LmofClient } from '../support/lmof-client.js';
import { seededRandom } from '../support/random.js';
import { describeWith } from '../support/shared.js';

const large = Buffer.from(seededRandom(12).bytes(3_000_000));
const small = Buffer.from('small');

const authority = useAuthority();

let directory: string;
let server: CairnServerProcess | undefined;
let sockets: LmofClient[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-together-'));
  sockets = [];
});
afterEach(async () => {
  for (const { stream } of sockets) stream.destroy();
  await server?.stop('SIGKILL');
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

const dataFlags = () => ['--data', join(directory, 'data')];
const tlsFlags = () => ['--tls-cert', authority.server.cert, '--tls-key', authority.server.key];

async function speaker(url: string, options: ConnectionOptions = {}): Promise<LmofClient> {
  const { port, protocol } = new URL(url);
  const isTls = protocol === 'https:';
  const to = { host: '127.0.0.1', port: Number(port) };
  const socket = isTls ? connectTls({ ...to, ca: authority.trusted, ...options }) : connectTcp(to);
  await once(socket, isTls ? 'secureConnect' : 'connect');
  const client = new LmofClient(socket);
  sockets.push(client);
  return client;
}

function fileClient(url: string, options: object = {}): FileClient {
  return new FileClient({ addresses: [url], ca: authority.trusted, ...options });
}

/** Stores and reads files and blobs over everything that the port speaks. Returns the id of a file of `large`. */
async function exercise(url: string): Promise<string> {
  const files = fileClient(url);
  const blobs = connect(url, { ca: authority.trusted });
  try {
    const { file_id } = await files.upload('by HTTP', large);
    const [batched] = await files.uploadBatch([{ name: 'in a batch', content: small }]);
    const { digest } = await blobs.put(large);
    const pieces: Uint8Array[] = [];
    for await (const piece of blobs.get(digest)) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(large)).toBe(true);

    // Several connections, so that several workers answer.
    for (let i = 0; i < 3; i++) {
      const lmof = await speaker(url);
      lmof.sendJson('UPLOAD', 1n, { file_name: `by LMOF 1 ${i}`, file_content: small.toString('base64') });
      const { data } = await lmof.receiveJson();
      const { file_id: id } = data as { file_id: string };
      expect((await files.download(id)).equals(small)).toBe(true);
      lmof.sendMessage(
        'UPLOAD',
        2n,
        UploadRequestSchema,
        { fileName: `by LMOF 2 ${i}`, fileSize: BigInt(large.length) },
        large,
      );
      const { outcome } = (await lmof.receiveMessage()).response;
      expect(outcome.case).toBe('upload');
      lmof.sendMessage('DOWNLOAD', 3n, DownloadRequestSchema, { fileId: file_id });
      const parts: Uint8Array[] = [];
      for (let isLast = false; !isLast; ) {
        const { response, content } = await lmof.receiveMessage();
        if (response.outcome.case !== 'download') throw new Error(`${response.outcome.case}`);
        parts.push(content);
        isLast = response.outcome.value.isLast;
      }
      expect(Buffer.concat(parts).equals(large)).toBe(true);
    }
    for await (const { content } of files.downloadBatch([batched!.stored!.file_id, file_id])) {
      for await (const _piece of content!);
    }
    expect((await files.list()).total).toBe(8);
    return file_id;
  } finally {
    files.close();
    blobs.close();
  }
}

async function readAgain(url: string, fileId: string): Promise<void> {
  const files = fileClient(url);
  expect((await files.download(fileId)).equals(large)).toBe(true);
  expect((await files.list()).total).toBe(8);
  files.close();
}

/** What it has logged. Certificates of tests always end soon. */
function complaints({ stderr }: CairnServerProcess): string[] {
  return stderr()
    .split('\n')
    .filter((line) => line.startsWith('{') && !line.includes('"validTo"'));
}

/** Starts, works, stops as told, starts anew, and finds all that was there. */
async function live(flags: () => readonly string[] | Promise<readonly string[]>, stop: NodeJS.Signals): Promise<void> {
  const args = [...dataFlags(), ...(await flags())];
  server = await startCairnServer(args);
  const fileId = await exercise(server.url);
  const code = await server.stop(stop);
  if (stop === 'SIGTERM') expect(code).toBe(0);
  expect(complaints(server)).toEqual([]);
  server = await startCairnServer(args);
  await readAgain(server.url, fileId);
}

const workers = ['--workers', '2'];

async function raftFlags(): Promise<string[]> {
  const [port] = await freePorts(1);
  const peer = `127.0.0.1:${port}`;
  return ['--meta', 'raft', '--node-id', 'a', '--peers', `a=${peer}`, '--peer-listen', peer];
}

describe('a server', { timeout: 120_000 }, () => {
  it.each<{ name: string; flags: () => readonly string[] | Promise<readonly string[]>; stop: NodeJS.Signals }>([
    { name: 'workers and TLS', flags: () => [...workers, ...tlsFlags()], stop: 'SIGTERM' },
    { name: 'workers and raft', flags: async () => [...workers, ...(await raftFlags())], stop: 'SIGTERM' },
    {
      name: 'workers, raft and TLS, killed',
      flags: async () => [...workers, ...(await raftFlags()), ...tlsFlags()],
      stop: 'SIGKILL',
    },
  ])('of $name keeps its files', async ({ flags, stop }) => {
    await live(flags, stop);
  });
});

describeWith('a server over etcd', 'etcd', etcdProgram, (program) => {
  it('and of workers and TLS keeps its files', { timeout: 120_000 }, async () => {
    const etcd = await startEtcd(program, 1);
    try {
      await live(() => ['--meta', 'etcd', '--etcd', etcd.endpoints[0]!, ...workers, ...tlsFlags()], 'SIGTERM');
    } finally {
      await etcd.stop();
    }
  });
});

describe('accounts behind TLS and workers', () => {
  it('are known by password, token and certificate, on every face', { timeout: 120_000 }, async () => {
    const password = 'correct horse';
    for (const [name, role] of [
      ['root', 'admin'],
      ['ann', 'reader'],
    ] as const) {
      await runCairn(['user', 'add', name, '--role', role, ...dataFlags()], { input: `${password}\n` });
    }
    const args = [...workers, ...tlsFlags(), '--tls-client-ca', authority.ca];
    server = await startCairnServer([...dataFlags(), ...args]);
    const { url } = server;
    const pair = ({ cert, key }: CertificateFile) => ({ cert: readFileSync(cert), key: readFileSync(key) });
    const stranger = pair(authority.issue('nobody'));
    const ann = pair(authority.issue('ann'));

    const root = fileClient(url, { ...stranger, user: 'root', password });
    const { file_id } = await root.upload('x', small);
    const byCertificate = fileClient(url, ann);
    expect((await byCertificate.download(file_id)).equals(small)).toBe(true);
    await expect(byCertificate.upload('y', small)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(fileClient(url, stranger).list()).rejects.toMatchObject({ code: 'unauthenticated' });

    // The certificate goes through the tunnel to the owner with the connection.
    const asAnn = await speaker(url, ann);
    asAnn.sendJson('LIST', 1n, {});
    expect(await asAnn.receiveJson()).toMatchObject({ data: { total: 1 } });
    asAnn.sendJson('UPLOAD', 2n, { file_name: 'z', file_content: '' });
    expect(await asAnn.receiveJson()).toMatchObject({ code: 5002 });
    const asNobody = await speaker(url, stranger);
    asNobody.sendJson('LIST', 1n, {});
    expect(await asNobody.receiveJson()).toMatchObject({ code: 5001 });
    asNobody.sendJson('AUTH', 2n, { username: 'root', password });
    expect(await asNobody.receiveJson()).toMatchObject({ data: { user: 'root' } });
    asNobody.sendJson('UPLOAD', 3n, { file_name: 'z', file_content: '' });
    expect(await asNobody.receiveJson()).toMatchObject({ data: { file_name: 'z' } });

    // A role that is taken away is gone for workers, too.
    const client = connect(url, { ca: authority.trusted, ...stranger, user: 'root', password });
    const accounts = await client.accounts();
    const { token } = await accounts.createToken({ account: 'ann' });
    await accounts.setRoles('ann', ['writer']);
    const byToken = connect(url, { ca: authority.trusted, ...ann });
    const { digest } = await byToken.put(small);
    await accounts.setRoles('ann', ['node']);
    await accounts.setRoles('ann', ['reader']);
    await expect(byToken.put(Buffer.from('other'))).rejects.toMatchObject({ code: 'permission_denied' });
    await accounts.rotateKey(0);
    const late = connect(url, { ca: authority.trusted, ...stranger, token });
    await expect(late.stat([digest.hash])).rejects.toMatchObject({ code: 'unauthenticated' });
    for (const each of [client, byToken, late, root, byCertificate]) each.close();
  });
});
