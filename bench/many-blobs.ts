// A server with ten million blobs: how fast it says which are missing, what each costs in memory, how soon it is there after
// a clean stop and after `kill -9`, and how long it holds its event loop at most. The blobs are rows without bytes: table,
// index and log are those of a real store, but nobody reads the blobs. Rates are by processor time of the server's process.

import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Level } from 'level';
import { type BlobHash, type Digest, toDigest, toHash } from '../src/base/digest.js';
import { systemRandom } from '../src/base/random.js';
import { digestBlob } from '../src/blake3/hasher.js';
import { BlobTable } from '../src/cas/blob-table.js';
import {
  encodeRow,
  encodeRowKey,
  encodeState,
  encodeUsage,
  rowChecksum,
  stateKey,
  usageKey,
} from '../src/cas/index-row.js';
import { LevelIndex } from '../src/cas/level-index.js';
import { tablePath } from '../src/cas/recovery.js';
import { saveTable } from '../src/cas/table-file.js';
import { connect } from '../src/client/client.js';
import { encodeDigests } from '../src/client/message.js';
import { nodeFileSystem } from '../src/log/node-file-system.js';
import { exchange, grpcHeaders, openSession } from './http2-client.js';
import { openBenchStore } from './local-store.js';
import { processorSeconds, residentMib, type ServerProcess, spawnCairn } from './processes.js';
import { formatBudget, formatNumber } from './report.js';
import { openCairn } from './servers.js';

const method = '/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs';
const digestsPerMessage = 8192;
const blobBytes = 64;
const rowsPerBatch = 50_000;
const turnMeter = fileURLToPath(new URL('./turn-meter.js', import.meta.url));

export interface ManyBlobsOptions {
  readonly blobs: number;
  /** Messages of a measured run. */
  readonly messages: number;
  /** Blobs that are stored before the kill. */
  readonly blobsBeforeKill: number;
  /** For how long they are left to reach the index. */
  readonly settleMilliseconds: number;
  /** Digests in one of the questions that may hold the loop. */
  readonly digestsAtOnce: number;
}

/** A section of the report. */
export async function manyBlobs(directory: string, options: ManyBlobsOptions): Promise<string> {
  const rows: string[] = [];
  const row = (what: string, measured: string, budget = '') => rows.push(`| ${what} | ${measured} | ${budget} |`);
  const atMost = (value: number, most: number) => `≤ ${most}${value > most ? ' **missed**' : ''}`;

  const asked = formatNumber(options.digestsAtOnce);
  const empty = await openCairn(join(directory, 'empty'));
  const emptyMib = await residentMib(empty);
  await empty.close();

  const data = join(directory, 'many');
  const { present, tableBytes } = await fill(data, options.blobs);
  const started = () => startMetered(data);

  let { server, seconds, elapsed } = await started();
  try {
    row('start after a clean stop, seconds (of processor time)', seconds, atMost(elapsed, 10));
    const negotiated = await negotiate(server, present, options.messages);
    row(
      'digests per second and core, half of them missing',
      formatNumber(negotiated),
      formatBudget(negotiated, 1_000_000),
    );
    const bytes = tableBytes / options.blobs;
    row('table, bytes of memory for each blob', bytes.toFixed(1), atMost(bytes, 64));
    const resident = (((await residentMib(server)) - emptyMib) * 2 ** 20) / options.blobs;
    row('resident memory above that of an empty server, bytes for each blob', resident.toFixed(1));
    const longest = await longestTurn(server, data, () => negotiateAtOnce(server, present, options.digestsAtOnce));
    row(`longest turn while questions of ${asked} digests are answered, ms`, longest.toFixed(1), atMost(longest, 10));
    const writing = await longestTurn(server, data, async () => {
      await write(server, options.blobsBeforeKill);
      await sleep(options.settleMilliseconds);
    });
    row('longest turn while small blobs are written and indexed, ms', writing.toFixed(1), atMost(writing, 10));
  } finally {
    await server.kill();
  }

  ({ server, seconds, elapsed } = await started());
  row(
    `start after ${formatNumber(options.blobsBeforeKill)} more blobs and kill -9, seconds (of processor time)`,
    seconds,
    atMost(elapsed, 10),
  );
  await server.close();

  await rm(tablePath(data, 'clean'));
  ({ server, seconds } = await startMetered(data, ['--index-memory', `${Math.ceil(options.blobs / 2 ** 15)}MiB`]));
  try {
    row('start without a saved table, memory for four in ten rows, seconds (of processor time)', seconds);
    const negotiated = await negotiate(server, present, Math.ceil(options.messages / 8));
    row('then digests per second and core, half of them missing', formatNumber(negotiated));
    const longest = await longestTurn(server, data, () => negotiateAtOnce(server, present, options.digestsAtOnce));
    row(
      `then longest turn while questions of ${asked} digests are answered, ms`,
      longest.toFixed(1),
      atMost(longest, 10),
    );
  } finally {
    await server.close();
  }
  return [
    `## Many: ${formatNumber(options.blobs)} blobs`,
    '',
    'Rows without bytes, in a real table, index and log. Questions come from this process, one stream; rates and turns are by processor time of the server. The log is synced before an answer.',
    '',
    '| | measured | budget |',
    '|---|---:|---|',
    ...rows,
    '',
  ].join('\n');
}

/** A cleanly stopped store with so many rows that point into its first segment; answers some of the hashes. */
async function fill(data: string, blobs: number): Promise<{ present: BlobHash[]; tableBytes: number }> {
  const store = await openBenchStore(data);
  await store.write(randomBytes(blobBytes));
  await store.close();
  const table = BlobTable.create(systemRandom);
  const present: BlobHash[] = [];
  const index = await LevelIndex.open(join(data, 'index'));
  const position = (await index.position())!;
  const [first] = await index.list(undefined, 1);
  const usage = await index.usage();
  await index.close();
  table.set(first!.hash, first!.row);
  let sum = rowChecksum(encodeRow(encodeRowKey(first!.hash), first!.row));
  // Not through the index, which looks for the old row before each new one.
  const db = new Level<Uint8Array, Uint8Array>(join(data, 'index'), { keyEncoding: 'view', valueEncoding: 'view' });
  await db.open();
  for (let done = 0; done < blobs; done += rowsPerBatch) {
    const bytes = randomBytes(32 * rowsPerBatch);
    const batch = db.batch();
    for (let i = 0; i < Math.min(rowsPerBatch, blobs - done); i++) {
      // In ascending order, which LevelDB takes many times faster. Table and filter look at the last bytes.
      bytes.writeUInt32BE(Math.floor(((done + i) / blobs) * 2 ** 32), 32 * i);
      const hash = toHash(new Uint8Array(bytes.buffer, bytes.byteOffset + 32 * i, 32));
      const row = { size: blobBytes, segment: 1, offset: 8 * (done + i), large: false };
      const key = encodeRowKey(hash);
      const value = encodeRow(key, row);
      sum = (sum + rowChecksum(value)) % 2 ** 32;
      batch.put(key, value);
      table.set(hash, row);
      usage.addBlob(row);
      if (i % 50 === 0) present.push(toHash(hash.slice()));
    }
    await batch.write();
  }
  const state = encodeState({ position, count: usage.blobs, sum });
  await db.batch([
    { type: 'put', key: stateKey, value: state },
    { type: 'put', key: usageKey, value: encodeUsage(usage) },
  ]);
  await db.close();
  await saveTable(nodeFileSystem, tablePath(data, 'clean'), {
    table,
    filter: undefined,
    isComplete: true,
    position,
    closing: () => ({ indexedTo: position, hidden: [] }),
    indexed: async () => {},
    isStopped: () => false,
  });
  return { present, tableBytes: table.byteLength };
}

async function startMetered(
  data: string,
  flags: readonly string[] = [],
): Promise<{ server: ServerProcess; seconds: string; elapsed: number }> {
  const start = performance.now();
  const server = await spawnCairn(data, flags, {
    nodeFlags: ['--import', turnMeter],
    env: { UV_THREADPOOL_SIZE: '32', CAIRN_BENCH_TURNS: turnsPath(data) },
  });
  const elapsed = (performance.now() - start) / 1000;
  return { server, elapsed, seconds: `${elapsed.toFixed(1)} (${(await processorSeconds(server)).toFixed(1)})` };
}

function turnsPath(data: string): string {
  return `${data}.turns`;
}

function question(present: readonly BlobHash[], count: number): Uint8Array {
  const digests: Digest[] = Array.from({ length: count }, (_, i) => {
    const hash = i % 2 === 0 ? present[Math.floor(Math.random() * present.length)]! : toHash(randomBytes(32));
    return toDigest(hash, blobBytes);
  });
  return encodeDigests(digests);
}

/** Digests per second of processor time. */
async function negotiate(server: ServerProcess, present: readonly BlobHash[], messages: number): Promise<number> {
  const session = await openSession(server.url);
  const questions = Array.from({ length: 32 }, () => question(present, digestsPerMessage));
  const asked = Array.from({ length: messages }, (_, i) => questions[i % questions.length]!);
  await exchange(session, grpcHeaders(method), asked.slice(0, Math.ceil(messages / 2)));
  const before = await processorSeconds(server);
  await exchange(session, grpcHeaders(method), asked);
  const rate = (messages * digestsPerMessage) / ((await processorSeconds(server)) - before);
  session.close();
  return rate;
}

/** Long questions, four at once. */
async function negotiateAtOnce(server: ServerProcess, present: readonly BlobHash[], digests: number): Promise<void> {
  const session = await openSession(server.url);
  const questions = Array.from({ length: 4 }, () => question(present, digests));
  await Promise.all(questions.map((asked) => exchange(session, grpcHeaders(method), [asked, asked, asked])));
  session.close();
}

/** Stores so many small blobs. */
async function write(server: ServerProcess, count: number): Promise<void> {
  const client = connect(server.url);
  function* blobs() {
    for (let i = 0; i < count; i++) {
      const bytes = randomBytes(blobBytes);
      yield { digest: digestBlob(bytes), open: () => bytes };
    }
  }
  await client.putMany(blobs());
  client.close();
}

async function longestTurn(server: ServerProcess, data: string, work: () => Promise<void>): Promise<number> {
  await rm(turnsPath(data), { force: true });
  process.kill(server.pid, 'SIGUSR2');
  await sleep(100);
  await work();
  process.kill(server.pid, 'SIGUSR2');
  for (;;) {
    const written = await readFile(turnsPath(data), 'utf8').catch(() => undefined);
    if (written !== undefined) return Number(written);
    await sleep(20);
  }
}
