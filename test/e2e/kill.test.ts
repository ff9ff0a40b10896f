// `kill -9` at random moments of a busy server's life, over and over, on a real disk. After each start every blob whose
// write was answered reads back byte for byte, and none whose deletion was answered is there.

import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Digest, formatHash, hashHex } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { Ledger, type Presence } from '../fault/ledger.js';
import { type CairnServerProcess, startCairnServer } from '../support/cairn-process.js';
import { ask } from '../support/http-client.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const killsPerRound = 8;
const clientCount = 8;
const sizes = [1, 700, 4096, 30_000, 65_536, 65_537, 300_000];

interface TestBlob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const blobs: readonly TestBlob[] = Array.from({ length: 70 }, (_, i) => {
  const bytes = seededRandom(i + 1).bytes(sizes[i % sizes.length]! + i);
  return { bytes, digest: digestBlob(bytes) };
});

/** Counts answers, so that a run in which nothing was acknowledged does not pass. */
const answered = { writes: 0, deletes: 0 };

async function writeOne(client: CairnClient, url: string, { bytes, digest }: TestBlob, overHttp: boolean) {
  if (!overHttp) return void (await client.put(bytes, { expect: digest }));
  const { status } = await ask('h1', `${url}/blobs/${hashHex(digest.hash)}`, { method: 'PUT', body: bytes });
  if (status !== 200 && status !== 201) throw new Error(`PUT answered ${status}`);
}

async function deleteOne(client: CairnClient, url: string, { digest }: TestBlob, overHttp: boolean) {
  if (!overHttp) return void (await client.delete([digest.hash]));
  const { status } = await ask('h1', `${url}/blobs/${hashHex(digest.hash)}`, { method: 'DELETE' });
  if (status !== 204 && status !== 404) throw new Error(`DELETE answered ${status}`);
}

/** Writes, deletes and lists until the server is gone. Only then may a call fail. */
async function keepBusy(server: CairnServerProcess, ledger: Ledger, random: SeededRandom): Promise<void> {
  const client = connect(server.url);
  const isDead = () => server.child.killed;
  const attempt = async (index: number, effect: Presence) => {
    const end = ledger.begin(index, effect);
    const overHttp = random.chance(0.4);
    try {
      const change = effect === 'present' ? writeOne : deleteOne;
      await change(client, server.url, blobs[index]!, overHttp);
      end('acknowledged');
      answered[effect === 'present' ? 'writes' : 'deletes']++;
    } catch (error) {
      end('refused');
      if (!isDead()) throw error;
    }
  };
  try {
    while (!isDead()) {
      const dice = random.below(100);
      if (dice < 60) await attempt(random.below(blobs.length), 'present');
      else if (dice < 95) await attempt(random.below(blobs.length), 'absent');
      // Listing brings the index up to date, so that a start may begin in the middle of the log.
      else await listAll(client).catch((error: unknown) => expect(isDead(), String(error)).toBe(true));
    }
  } finally {
    client.close();
  }
}

async function listAll(client: CairnClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { hash, size } of client.list()) names.push(`${formatHash(hash)} ${size}`);
  return names;
}

/** What is there, after comparing it with what was promised. */
async function examine(url: string, data: string, ledger: Ledger, label: string): Promise<Presence[]> {
  const client = connect(url);
  try {
    const read = await client.readBatch(blobs.map(({ digest }) => digest));
    const found = read.map((bytes): Presence => (bytes === undefined ? 'absent' : 'present'));
    const allowed = ledger.afterCrash();
    const wrong = blobs.flatMap(({ bytes }, i) => {
      if (allowed[i] !== 'either' && allowed[i] !== found[i]) return [`blob ${i} is ${found[i]}`];
      return read[i] !== undefined && Buffer.compare(read[i], bytes) !== 0 ? [`blob ${i} is another`] : [];
    });
    expect(wrong, label).toEqual([]);
    const there = blobs.filter((_, i) => found[i] === 'present').map(({ digest }) => digest);
    const names = there.map(({ hash, size }) => `${formatHash(hash)} ${size}`);
    expect(await listAll(client), label).toEqual(names.sort());
    await expectFiles(data, there, label);
    return found;
  } finally {
    client.close();
  }
}

/** No file that no blob needs. */
async function expectFiles(data: string, there: readonly Digest[], label: string): Promise<void> {
  expect(await readdir(join(data, 'temp')), label).toEqual([]);
  const entries = await readdir(join(data, 'large'), { recursive: true }).catch(() => []);
  const files = entries.flatMap((name) => (name.length > 3 ? [name.slice(3, 67)] : []));
  const large = there.filter(({ size }) => size > 65_536).map(({ hash }) => hashHex(hash));
  expect(files.sort(), label).toEqual(large.sort());
}

const seed = testSeed('kill -9');

it('kill -9 costs no acknowledged write and brings back no deleted blob', {
  timeout: 120_000 * testRounds(),
}, async () => {
  const random = seededRandom(seed);
  const directory = await mkdtemp(join(tmpdir(), 'cairn-kill-'));
  const data = join(directory, 'data');
  let running: CairnServerProcess | undefined;
  let found: readonly Presence[] = blobs.map(() => 'absent');
  try {
    for (let kill = 0; kill < killsPerRound * testRounds(); kill++) {
      const ledger = new Ledger('disk', found);
      const server = await startCairnServer(['--data', data]);
      running = server;
      const exited = once(server.child, 'exit');
      const clients = Array.from({ length: clientCount }, () =>
        keepBusy(server, ledger, seededRandom(random.below(2 ** 31))),
      );
      await sleep(random.between(30, 700));
      server.child.kill('SIGKILL');
      await Promise.all([...clients, exited]);

      const again = await startCairnServer(['--data', data]);
      running = again;
      found = await examine(again.url, data, ledger, `kill ${kill}`);
      // Every other time the one that was examined is killed too, while it does nothing.
      await again.stop(random.chance(0.5) ? 'SIGKILL' : 'SIGTERM');
    }
    process.stdout.write(`kill -9: ${answered.writes} writes and ${answered.deletes} deletes were acknowledged\n`);
    expect(answered.writes).toBeGreaterThan(50);
    expect(answered.deletes).toBeGreaterThan(20);
  } finally {
    await running?.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
});
