// `npm run bench`: runs all scenarios and writes RESULTS.md beside the sources. `npm run bench -- --quick` runs each once
// with little data, in seconds, and only prints: it tells that the bench works, not how fast anything is.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, type Scenario } from './harness.js';
import { negotiations } from './negotiate.js';
import { formatHeader, formatScenario } from './report.js';
import { smallWrites } from './small-writes.js';
import { downloads, uploads } from './streams.js';
import { syncs } from './sync.js';

const quick = process.argv.includes('--quick');
const runs = quick ? 1 : 5;
/** From dist-bench/bench/ to the checkout. */
const resultsPath = fileURLToPath(new URL('../../bench/RESULTS.md', import.meta.url));

const scenarios: readonly ((directory: string) => Promise<Scenario>)[] = [
  (directory) => smallWrites(directory, quick ? 256 : 8192),
  (directory) => downloads(directory, quick ? 4 : 256),
  (directory) => uploads(directory, quick ? 4 : 256),
  (directory) => negotiations(directory, quick ? 4096 : 200_000, quick ? 2 : 32),
  (directory) => syncs(directory, quick ? 200 : 50_000, false),
  (directory) => syncs(directory, quick ? 200 : 50_000, true),
];

const header = formatHeader('npm run bench', runs);
const sections: string[] = [];
for (const open of scenarios) {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
  try {
    const scenario = await open(directory);
    try {
      const section = formatScenario(scenario, await measure(scenario, runs));
      console.log(section);
      sections.push(section);
    } finally {
      await scenario.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
if (!quick) await writeFile(resultsPath, header + sections.join('\n'));
