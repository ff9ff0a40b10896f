// A server with workers, in a process of its own: what they share, what they leave to the owner, and how they end.

import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGate } from '../../src/api/auth/gate.js';
import { everybody } from '../../src/api/auth/principal.js';
import { hashHex } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { serverConfig } from '../../src/server/config.js';
import { FaceWorkers, type FaceWorkersParts } from '../../src/server/face-workers.js';
import { newSharedNumbers } from '../../src/server/sharing.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { openStoreIn, withDirectory } from '../support/local-store.js';
import { seededRandom } from '../support/random.js';

const random = seededRandom(11);
const small = random.bytes(3000);
const large = random.bytes(300_000);

let directory: string;
let server: CairnServerProcess;

function pathOf(bytes: Uint8Array): string {
  return `/blobs/${hashHex(digestBlob(bytes).hash)}`;
}

/** On a connection of its own, so that any worker may get it. */
function ask(bytes: Uint8Array, method: string, body?: Uint8Array): Promise<Response> {
  return fetch(server.url + pathOf(bytes), { method, headers: { connection: 'close' }, ...(body && { body }) });
}

/** Sum over the labels of a metric. */
async function counted(metric: string, labels: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => /^\w+/.exec(line)?.[0] === metric && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

describe('workers', () => {
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-workers-'));
    server = await startCairnServer(['--data', directory, '--workers', '2', '--drain-seconds', '5']);
  });
  afterEach(async () => {
    await server.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  it('see at once what another has answered, and count together', async () => {
    for (let round = 0; round < 8; round++) {
      const bytes = round % 2 === 0 ? random.bytes(100 + round) : random.bytes(100_000 + round);
      expect((await ask(bytes, 'PUT', bytes)).status).toBe(201);
      const answers = await Promise.all([1, 2, 3, 4].map(() => ask(bytes, 'GET')));
      for (const answer of answers) expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
      expect((await ask(bytes, 'DELETE')).status).toBe(204);
      expect((await Promise.all([1, 2, 3, 4].map(() => ask(bytes, 'HEAD')))).map(({ status }) => status)).toEqual([
        404, 404, 404, 404,
      ]);
    }
    expect(await counted('cairn_calls_total', 'method="GET /blobs/{hash}"')).toBe(32);
    expect(await counted('cairn_store_operation_duration_seconds_count', 'operation="write"')).toBe(8);
  });

  it('serve whole blobs or none while these are deleted and stored again', async () => {
    let stop = false;
    const seen = new Map<number, number>();
    const readers = [small, large, small, large].map(async (bytes) => {
      while (!stop) {
        const answer = await ask(bytes, 'GET');
        const body = Buffer.from(await answer.arrayBuffer());
        if (answer.status === 200) expect(body.equals(bytes)).toBe(true);
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      }
    });
    for (let round = 0; round < 12; round++) {
      for (const bytes of [small, large]) {
        expect((await ask(bytes, 'PUT', bytes)).status).toBe(201);
        expect((await ask(bytes, 'DELETE')).status).toBe(204);
      }
    }
    stop = true;
    await Promise.all(readers);
    expect([...seen.keys()].filter((status) => status !== 200 && status !== 404)).toEqual([]);
    expect(seen.get(200)).toBeGreaterThan(0);
  });

  it('leave nothing behind of uploads that are not what they were announced as', async () => {
    for (const bytes of [small, large]) {
      const other = Uint8Array.from(bytes, (byte) => byte ^ 1);
      expect((await ask(bytes, 'PUT', other)).status).toBe(400);
    }
    expect(await readdir(join(directory, 'temp'))).toEqual([]);
    expect(await counted('cairn_store_blobs', '')).toBe(0);
  });

  it('pass on what is not theirs, with its caller, over both versions of HTTP', async () => {
    expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'serving' });
    const session = connectHttp2(server.url);
    const stream = session.request({ ':path': '/healthz' });
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(200);
    session.destroy();
    // Told to callers on this machine alone, so the owner must know that this one is.
    await ask(large, 'PUT', large);
    const name = `blake3:${hashHex(digestBlob(large).hash)}`;
    expect((await runCairn(['path', name, '--server', server.url])).stdout.trim()).toContain(join(directory, 'large'));
  });

  it('let what is under way end when the server stops, and take nothing new', async () => {
    const bytes = random.bytes(32 << 20);
    await ask(bytes, 'PUT', bytes);
    const { port, hostname } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${pathOf(bytes)} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
    await once(socket, 'readable');
    const stopped = server.stop('SIGTERM');
    await expect
      .poll(async () => {
        try {
          await fetch(`${server.url}/healthz`, { headers: { connection: 'close' } });
          return 'answered';
        } catch {
          return 'refused';
        }
      })
      .toBe('refused');
    let received = 0;
    for await (const piece of socket) {
      received += (piece as Buffer).length;
      if (received > bytes.length) break;
    }
    expect(received).toBeGreaterThan(bytes.length);
    expect(await stopped).toBe(0);
  });
});

describe('connections', () => {
  const open: Socket[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-workers-'));
    server = await startCairnServer(['--data', directory, '--workers', '2', '--log-level', 'debug']);
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await server.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  /** Opens a connection that stays, asks something on it, and answers which worker took it. */
  async function workerOfNew(): Promise<string> {
    const { port, hostname } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    open.push(socket);
    const path = pathOf(random.bytes(10));
    socket.write(`HEAD ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
    await once(socket, 'data');
    const calls = () => [...server.stderr().matchAll(/"id":"(\d+)\.\w+","peer":"127.0.0.1:(\d+)"/g)];
    await expect.poll(() => calls().some(([, , from]) => Number(from) === socket.localPort)).toBe(true);
    return calls().find(([, , from]) => Number(from) === socket.localPort)![1]!;
  }

  it('go to the worker that has the fewest, and to both by turns', async () => {
    const workers: string[] = [];
    for (let i = 0; i < 6; i++) workers.push(await workerOfNew());
    const [first, second] = workers as [string, string];
    expect(workers).toEqual([first, second, first, second, first, second]);
    for (const at of [1, 3, 5]) {
      open[at]!.end();
      await once(open[at]!.resume(), 'close');
    }
    // Three that are left, and the one that asks, which is the second worker's.
    await expect.poll(() => counted('cairn_connections', '')).toBe(4);
    expect([await workerOfNew(), await workerOfNew()]).toEqual([second, second]);
  });
});

/** The parts of one worker over a store of its own. */
async function withParts(body: (parts: Omit<FaceWorkersParts, 'onFailure'>) => Promise<void>): Promise<void> {
  await withDirectory(async (data) => {
    const store = await openStoreIn(data);
    try {
      await body({
        config: serverConfig({ workers: 1 }),
        sharing: {
          store,
          numbers: newSharedNumbers(),
          maintenance: { refuseWrites: () => {} },
          gate: openGate,
          admit: () => everybody,
        },
        tunnels: ['nowhere'],
      });
    } finally {
      await store.close();
    }
  });
}

describe('a worker that fails', () => {
  it('is reported once, and leaves nobody waiting', async () => {
    await withParts(async (given) => {
      const script = `
        import { connect } from 'node:net';
        import { parentPort, workerData } from 'node:worker_threads';
        connect(workerData.sockets);
        parentPort.postMessage([{ kind: 'tell', name: 'ready' }]);
        parentPort.on('message', ([{ name }]) => { if (name === 'snapshot') throw new Error('out of luck'); });`;
      const failures: Error[] = [];
      const parts: FaceWorkersParts = {
        ...given,
        script: new URL(`data:text/javascript,${encodeURIComponent(script)}`),
        onFailure: (error) => failures.push(error),
      };
      const workers = await FaceWorkers.start(parts);
      await expect(workers.snapshots()).rejects.toMatchObject({ code: 'unavailable' });
      expect(failures.map(({ message }) => message)).toEqual(['out of luck']);
    });
  });

  it('to begin is reported as it failed', async () => {
    await withParts(async (given) => {
      const script = `
        import { parentPort } from 'node:worker_threads';
        const news = { code: 'unavailable', message: 'no such address' };
        parentPort.postMessage([{ kind: 'tell', name: 'failed', news }]);`;
      const starting = FaceWorkers.start({
        ...given,
        script: new URL(`data:text/javascript,${encodeURIComponent(script)}`),
        onFailure: () => {},
      });
      await expect(starting).rejects.toMatchObject({ code: 'unavailable', message: 'no such address' });
    });
  });
});
