// tus-js-client as it comes uploads a large file; the server is killed (-9) in the middle of it and started again. The
// client goes on where the bytes are durable, by itself, and the file is whole.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upload } from 'tus-js-client';
import { expect, it } from 'vitest';
import { type CairnServerProcess, startCairnServer } from '../support/cairn-process.js';

const mib = 1024 * 1024;
const fileMebibytes = 320;
const killAtBytes = 200 * mib;

/** Random bytes, and their SHA-256. */
async function writeLargeFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  for (let i = 0; i < fileMebibytes; i++) {
    const piece = randomBytes(mib);
    hash.update(piece);
    await file.write(piece);
  }
  await file.close();
  return hash.digest('hex');
}

function hashOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      const hash = createHash('sha256');
      response.on('data', (piece) => hash.update(piece));
      response.on('error', reject);
      response.on('end', () => resolve(hash.digest('hex')));
    }).on('error', reject);
  });
}

it('an upload by tus outlives kill -9', { timeout: 180_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-tus-'));
  const data = ['--data', join(directory, 'data')];
  let server: CairnServerProcess | undefined;
  try {
    const path = join(directory, 'large.bin');
    const digest = await writeLargeFile(path);
    server = await startCairnServer(data);
    const { url } = server;
    const listen = ['--listen', new URL(url).host];

    let killed = false;
    let restarted: Promise<void> | undefined;
    const offsets: number[] = [];
    const fileId = await new Promise<string | undefined>((resolve, reject) => {
      const upload = new Upload(createReadStream(path), {
        endpoint: `${url}/api/v1/tus`,
        chunkSize: Number.POSITIVE_INFINITY,
        retryDelays: [0, 1000, 2000, 4000, 8000],
        metadata: { filename: 'large.bin' },
        onProgress(sent) {
          if (killed || sent < killAtBytes) return;
          killed = true;
          restarted = server!.stop('SIGKILL').then(async () => {
            server = await startCairnServer([...data, ...listen]);
          });
        },
        onAfterResponse(request, response) {
          if (request.getMethod() === 'HEAD') offsets.push(Number(response.getHeader('Upload-Offset')));
        },
        onError: reject,
        onSuccess: ({ lastResponse }) => resolve(lastResponse.getHeader('X-File-Id')),
      });
      upload.start();
    });
    await restarted;
    expect(killed).toBe(true);
    // It went on behind the beginning, and at most what a server holds before it saves was sent again.
    expect(offsets.length).toBeGreaterThan(0);
    expect(offsets.at(-1)).toBeGreaterThan(killAtBytes / 4);
    process.stdout.write(`tus: went on at ${(offsets.at(-1)! / mib).toFixed(0)} of ${fileMebibytes} MiB\n`);
    expect(await hashOf(`${url}/api/v1/files/${fileId}`)).toBe(digest);
  } finally {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
