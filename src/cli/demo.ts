// `npm run demo`: a walk for newcomers, on real files and a throw-away server. It does what a build cache does: ask what is
// missing, send only that, ask again, read a range; then what people do with directories. Nothing remains afterwards.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/clock.js';
import { type Digest, formatHash, hashHex } from '../base/digest.js';
import { digestBlob } from '../blake3/hasher.js';
import type { CairnClient } from '../client/cairn-client.js';
import { connect } from '../client/connect.js';
import { serverConfig } from '../server/config.js';
import { startServer } from '../server/server.js';
import { demoTrees } from './demo-trees.js';

interface DemoFile {
  /** From the checkout's root. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

async function readFiles(): Promise<DemoFile[]> {
  const files: DemoFile[] = [];
  for (const folder of ['src', 'proto']) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((entry) => entry.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const bytes = await readFile(path);
      files.push({ path: path.slice(root.length), bytes, digest: digestBlob(bytes) });
    }
  }
  return files;
}

/** Puts all files as a build cache would, and tells what that took. */
async function put(client: CairnClient, files: readonly DemoFile[]): Promise<void> {
  const start = systemClock.monotonic();
  const items = files.map(({ digest, bytes }) => ({ digest, open: () => bytes }));
  const { uploadedCount, uploadedBytes, presentCount } = await client.putMany(items);
  const milliseconds = Math.round(systemClock.monotonic() - start);
  say(`   uploaded ${uploadedCount} blobs (${kib(uploadedBytes)}), ${presentCount} were there, ${milliseconds} ms`);
}

async function walkThrough(client: CairnClient): Promise<void> {
  const files = await readFiles();
  const digests = new Map(files.map(({ digest }) => [hashHex(digest.hash), digest]));
  const size = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  say(`2. Hash the files in src/ and proto/ of this checkout: ${files.length} files, ${kib(size)}`);
  say(`   ${files[0]!.path} is ${formatHash(files[0]!.digest.hash)}`);
  say(`   ${digests.size} different contents; equal files have equal names, so they are stored once`);

  say('3. Negotiate: send the digests and ask which are missing');
  say(`   ${(await client.missing([...digests.values()])).length} of ${digests.size} are missing`);
  say('4. Put: upload what is missing');
  await put(client, files);

  say('5. Negotiate again');
  say(`   ${(await client.missing([...digests.values()])).length} of ${digests.size} are missing`);
  say('6. Put again: nothing is left to send');
  await put(client, files);

  const file = files.find(({ path }) => path.endsWith('blob-store.ts')) ?? files[0]!;
  const range = { start: 3, length: 60 };
  const pieces: Uint8Array[] = [];
  for await (const piece of client.get(file.digest, range)) pieces.push(piece);
  say(`7. Read ${range.length} bytes from offset ${range.start} of ${file.path}`);
  say(`   "${Buffer.concat(pieces).toString()}"`);

  const read = await client.readBatch(files.map(({ digest }) => digest));
  const same = files.filter(({ bytes }, i) => read[i] !== undefined && Buffer.compare(bytes, read[i]) === 0);
  say('8. Read everything back and compare');
  say(`   ${same.length} of ${files.length} files are the same, byte for byte`);
  if (same.length !== files.length) throw new Error('a blob came back changed');
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}

function say(line: string): void {
  console.log(line);
}

async function demo(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-demo-'));
  try {
    const listen = [{ face: 'all', host: '127.0.0.1', port: 0 }] as const;
    const server = await startServer(serverConfig({ listen, data: join(directory, 'data'), logLevel: 'silent' }));
    try {
      const url = server.listeners[0]!.url;
      say(`1. A server of its own at ${url}, its data in ${directory}`);
      const client = connect(url);
      try {
        await walkThrough(client);
      } finally {
        client.close();
      }
      await demoTrees({ url, source: join(root, 'src'), scratch: directory, say });
    } finally {
      await server.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  say('12. Stop the server and remove its data');
  say('');
  say('Next: `npm start` runs a server that stays, and prints what to try.');
}

await demo();
