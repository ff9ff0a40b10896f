// `npm run bench`: runs all parts and records each in RESULTS.md beside the sources as soon as it is done. `--only NAME` runs one
// part. `--quick` runs each once with little data, in seconds, and records nothing: it tells that the bench works, not how
// fast anything is.

import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cores } from './cores.js';
import { elections } from './elections.js';
import { fileEdits } from './file-edits.js';
import { findMissing } from './find-missing.js';
import { downloads, uploads } from './grpc-streams.js';
import { concurrently, type Effort } from './harness.js';
import { hashing } from './hashing.js';
import { httpReads } from './http-reads.js';
import { httpDownloads, httpUploads } from './http-streams.js';
import { httpWrites } from './http-writes.js';
import { manyBlobs } from './many-blobs.js';
import { memoryUnderLoad } from './memory.js';
import { aboutMetadata, metadataScenarios } from './metadata.js';
import { negotiations } from './negotiate.js';
import { compare, formatHeader, formatPart, record } from './report.js';
import { closeSharedServers, shareServers } from './servers.js';
import { smallDownloads } from './small-reads.js';
import { smallWrites } from './small-writes.js';
import { syncs } from './sync.js';

const quick = process.argv.includes('--quick');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
const effort: Effort = quick ? { warmUps: 0, runs: 1 } : { warmUps: 1, runs: 5 };
/** From dist-bench/bench/ to the checkout. */
const resultsPath = fileURLToPath(new URL('../../bench/RESULTS.md', import.meta.url));

async function metadata(directory: string, scale: number): Promise<string> {
  const { scenarios, close } = await metadataScenarios(directory, scale);
  try {
    const sections: string[] = [];
    for (const scenario of scenarios) sections.push(await compare(scenario, effort));
    return `${sections.join('\n')}\n${aboutMetadata}\n`;
  } finally {
    await close();
  }
}

const few = { blobs: 4000, messages: 4, blobsBeforeKill: 1000, settleMilliseconds: 0, digestsAtOnce: 4096 };
const tenMillion = {
  blobs: 10_000_000,
  messages: 512,
  blobsBeforeKill: 100_000,
  settleMilliseconds: 6000,
  digestsAtOnce: 65_536,
};
const briefly = { mebibytes: 4, seconds: 0.2 };
const thoroughly = { mebibytes: 1024, seconds: 3 };
const twenty = { clients: 20, blobMebibytes: 1, seconds: 1, isTogether: true };
const thousand = { clients: 1000, blobMebibytes: 64, seconds: 10, isTogether: false };

/** Each makes a section of the report in a directory of its own. */
const parts: Readonly<Record<string, (directory: string) => Promise<string>>> = {
  'small-writes': (directory) => compare(smallWrites(directory, quick ? 256 : 8192), effort),
  'http-writes': (directory) => compare(httpWrites(directory, quick ? 5000 : 40_000, quick ? 0.2 : 2), effort),
  downloads: (directory) => compare(downloads(directory, quick ? 4 : 1024), effort),
  uploads: (directory) => compare(uploads(directory, quick ? 4 : 256), effort),
  'http-downloads': (directory) => compare(httpDownloads(directory, quick ? 4 : 1024), effort),
  'http-uploads': (directory) => compare(httpUploads(directory, quick ? 4 : 256), effort),
  'small-downloads': (directory) => compare(smallDownloads(directory, quick ? 500 : 20_000), effort),
  'http-reads': (directory) => httpReads(directory, quick ? briefly : thoroughly, effort),
  negotiate: (directory) => compare(negotiations(directory, quick ? 4096 : 200_000, quick ? 2 : 32), effort),
  'find-missing': (directory) => compare(findMissing(directory, quick ? 4 : 200), effort),
  'many-blobs': (directory) => manyBlobs(directory, quick ? few : tenMillion),
  hashing: (directory) => compare(hashing(directory, quick ? 4 : 512), effort),
  'sync-cold': (directory) => compare(syncs(directory, quick ? 200 : 50_000, false), effort),
  'sync-warm': (directory) => compare(syncs(directory, quick ? 200 : 50_000, true), effort),
  files: (directory) => fileEdits(directory, quick ? 8 : 256),
  metadata: (directory) => metadata(directory, quick ? 0.02 : 1),
  elections: (directory) => elections(directory, quick ? 1 : 30),
  cores: (directory) => cores(directory, quick ? 0.2 : 5, effort),
  memory: (directory) => memoryUnderLoad(directory, quick ? twenty : thousand),
};

const workplace = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
// However it ends.
process.on('exit', () => rmSync(workplace, { recursive: true, force: true, maxRetries: 3 }));

/** What to print. */
async function run(name: string): Promise<string> {
  const directory = join(workplace, name);
  await mkdir(directory);
  try {
    const before = loadavg()[0]!;
    const start = performance.now();
    const section = await parts[name]!(directory);
    const seconds = (performance.now() - start) / 1000;
    const part = formatPart(section, before, seconds);
    if (!quick) await record(resultsPath, Object.keys(parts), name, part, formatHeader(effort));
    return `${section}\n${name}: ${seconds.toFixed(1)} s\n`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const names = Object.keys(parts).filter((name) => only === undefined || only === name);
if (names.length === 0) throw new Error(`no part ${only}; there are ${Object.keys(parts).join(', ')}`);
const texts: string[] = [];
let printed = 0;
// A quick run waits for programs to start more than it works. Its longest parts are the last ones.
if (quick) shareServers(join(workplace, 'shared'));
await concurrently(quick ? 4 : 1, names.length, async (turn) => {
  const index = quick ? names.length - 1 - turn : turn;
  texts[index] = await run(names[index]!);
  for (let text = texts[printed]; text !== undefined; text = texts[++printed]) console.log(text);
});
await closeSharedServers();
