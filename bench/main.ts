// `npm run bench`: runs all parts and records each in RESULTS.md beside the sources as soon as it is done. `--only NAME` runs one
// part. `--quick` runs each once with little data, in seconds, and records nothing: it tells that the bench works, not how
// fast anything is.

import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cores } from './cores.js';
import { elections } from './elections.js';
import { fileEdits } from './file-edits.js';
import { measure, type Scenario } from './harness.js';
import { httpReads } from './http-reads.js';
import { manyBlobs } from './many-blobs.js';
import { memoryUnderLoad } from './memory.js';
import { metadataScenarios } from './metadata.js';
import { negotiations } from './negotiate.js';
import { formatHeader, formatPart, formatScenario, record } from './report.js';
import { smallDownloads } from './small-reads.js';
import { smallWrites } from './small-writes.js';
import { downloads, uploads } from './streams.js';
import { syncs } from './sync.js';

const quick = process.argv.includes('--quick');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
const runs = quick ? 1 : 5;
/** From dist-bench/bench/ to the checkout. */
const resultsPath = fileURLToPath(new URL('../../bench/RESULTS.md', import.meta.url));

async function compared(opening: Promise<Scenario>): Promise<string> {
  const scenario = await opening;
  try {
    return formatScenario(scenario, await measure(scenario, runs));
  } finally {
    await scenario.close();
  }
}

async function metadata(directory: string, scale: number): Promise<string> {
  const { scenarios, close } = await metadataScenarios(directory, scale);
  try {
    const sections: string[] = [];
    for (const scenario of scenarios) sections.push(await compared(Promise.resolve(scenario)));
    return sections.join('\n');
  } finally {
    await close();
  }
}

const few = { blobs: 20_000, messages: 4, blobsBeforeKill: 1000 };
const tenMillion = { blobs: 10_000_000, messages: 512, blobsBeforeKill: 100_000 };
const briefly = { mebibytes: 4, seconds: 1, rounds: 1 };
const thoroughly = { mebibytes: 1024, seconds: 3, rounds: 5 };
const thousand = { clients: 1000, blobMebibytes: 64, seconds: 10 };

/** Each makes a section of the report in a directory of its own. */
const parts: Readonly<Record<string, (directory: string) => Promise<string>>> = {
  'small-writes': (directory) => compared(smallWrites(directory, quick ? 256 : 8192)),
  downloads: (directory) => compared(downloads(directory, quick ? 4 : 256)),
  uploads: (directory) => compared(uploads(directory, quick ? 4 : 256)),
  'small-downloads': (directory) => compared(smallDownloads(directory, quick ? 500 : 20_000, 'bare')),
  'small-downloads-stock': (directory) => compared(smallDownloads(directory, quick ? 500 : 20_000, 'stock')),
  'http-reads': (directory) => httpReads(directory, quick ? briefly : thoroughly),
  negotiate: (directory) => compared(negotiations(directory, quick ? 4096 : 200_000, quick ? 2 : 32)),
  'many-blobs': (directory) => manyBlobs(directory, quick ? few : tenMillion),
  'sync-cold': (directory) => compared(syncs(directory, quick ? 200 : 50_000, false)),
  'sync-warm': (directory) => compared(syncs(directory, quick ? 200 : 50_000, true)),
  files: (directory) => fileEdits(directory, quick ? 8 : 256),
  metadata: (directory) => metadata(directory, quick ? 0.02 : 1),
  elections: (directory) => elections(directory, quick ? 2 : 30),
  cores: (directory) => cores(directory, quick ? 1 : 5, quick ? 1 : 5),
  memory: (directory) => memoryUnderLoad(directory, quick ? { clients: 20, blobMebibytes: 4, seconds: 1 } : thousand),
};

for (const [name, run] of Object.entries(parts)) {
  if (only !== undefined && only !== name) continue;
  const directory = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
  try {
    const before = loadavg()[0]!;
    const section = await run(directory);
    console.log(section);
    if (!quick) await record(resultsPath, Object.keys(parts), name, formatPart(section, before), formatHeader(runs));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
