// What an edit of a large file costs when it is uploaded again: bytes that the store did not have, and time. Chunks cut by
// contents beside chunks of a fixed length.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ByteBudget } from '../src/base/byte-budget.js';
import { systemClock } from '../src/base/clock.js';
import { limits } from '../src/base/limits.js';
import { systemRandom } from '../src/base/random.js';
import { type Chunking, defaultChunking } from '../src/chunk/chunking.js';
import { FileService } from '../src/file/file-service.js';
import { LevelKv } from '../src/meta/level-kv.js';
import { openBenchStore } from './local-store.js';

const mib = 1024 * 1024;
const pieceBytes = 64 * 1024;

interface Edit {
  readonly name: string;
  apply(bytes: Buffer): Buffer;
}

function replaced(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

const middle = ({ length }: Buffer) => Math.floor(length / 2);

/** Each is made on the file as the one before it left it. */
const edits: readonly Edit[] = [
  { name: 'the first upload', apply: (bytes) => bytes },
  { name: 'nothing changed', apply: (bytes) => bytes },
  { name: '1 byte overwritten in the middle', apply: (bytes) => replaced(bytes, middle(bytes), 1, randomBytes(1)) },
  { name: '1 byte inserted in the middle', apply: (bytes) => replaced(bytes, middle(bytes), 0, randomBytes(1)) },
  { name: '100 bytes inserted at the start', apply: (bytes) => replaced(bytes, 0, 0, randomBytes(100)) },
  { name: '1 MiB cut out of the middle', apply: (bytes) => replaced(bytes, middle(bytes), mib, Buffer.alloc(0)) },
];

interface Outcome {
  /** Per second of processor time, hashing, cutting and storing together. */
  readonly mibPerSecond: number;
  readonly storedBytes: number;
  readonly fileBytes: number;
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function outcomes(directory: string, chunking: Chunking, original: Buffer): Promise<Outcome[]> {
  const store = await openBenchStore(directory);
  const kv = await LevelKv.open({ directory: join(directory, 'meta'), nodeId: 'bench' });
  const budget = new ByteBudget(limits.streamBudgetBytes);
  const files = new FileService({ store, kv, clock: systemClock, random: systemRandom, budget, chunking });
  const found: Outcome[] = [];
  let bytes = original;
  for (const { apply } of edits) {
    bytes = apply(bytes);
    const before = await store.usage();
    const cpu = process.cpuUsage();
    await files.upload('file', piecesOf(bytes));
    const { user, system } = process.cpuUsage(cpu);
    const { bytes: after } = await store.usage();
    const mibPerSecond = bytes.length / mib / ((user + system) / 1e6);
    found.push({ mibPerSecond, storedBytes: after - before.bytes, fileBytes: bytes.length });
  }
  await kv.close();
  await store.close();
  return found;
}

/** A section of the report. */
export async function fileEdits(directory: string, mebibytes: number): Promise<string> {
  const original = randomBytes(mebibytes * mib);
  const cut = await outcomes(join(directory, 'fastcdc'), defaultChunking, original);
  const fixed = await outcomes(join(directory, 'fixed'), { kind: 'fixed', chunkBytes: 512 * 1024 }, original);
  const part = ({ storedBytes, fileBytes }: Outcome) => `${((100 * storedBytes) / fileBytes).toFixed(2)} %`;
  const rows = edits.map(({ name }, i) => {
    const [ours, theirs] = [cut[i]!, fixed[i]!];
    return `| ${name} | ${part(ours)} | ${(ours.storedBytes / mib).toFixed(1)} | ${Math.round(ours.mibPerSecond)} | ${part(theirs)} |`;
  });
  return [
    `## Files: what an upload of ${mebibytes} MiB stores after an edit`,
    '',
    'Random bytes, one upload, in this process. Manifests count as stored.',
    '',
    '| edit | stored, FastCDC of 512 KiB | MiB | MiB uploaded per second of processor time | stored, fixed 512 KiB |',
    '|---|---:|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}
