// `npm run sim -- --seed 1 --seeds 1000 --nodes 5 --steps 6000`: runs that many seeds from the first on and says which fail.
// `--lines n`: the last lines of a failed run's trace. `--bugs`: plants each known bug (`--only`: whose name has this)
// and looks for a seed that shows it.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutatedImplementation } from './implementation.js';
import { plantedBugs } from './planted-bugs.js';
import { type SimulationReport, simulate } from './simulation.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '5' },
    steps: { type: 'string', default: '6000' },
    lines: { type: 'string', default: '0' },
    bugs: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});
const first = Number(values.seed);
const seeds = Number(values.seeds);
const nodes = Number(values.nodes);
const steps = Number(values.steps);

function print(report: SimulationReport): void {
  for (const line of report.lines) console.log(line);
  const { seed, failure, hash, events, milliseconds, counts } = report;
  console.log(`seed ${seed}: ${failure === undefined ? 'passed' : `FAILED ${failure.message}`}`);
  console.log(`  ${events} events in ${milliseconds} ms, trace ${hash}, ${JSON.stringify(counts)}`);
}

function runSeeds(): void {
  const began = process.hrtime.bigint();
  const totals: Record<string, number> = {};
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    let report = simulate({ seed, nodes, steps });
    if (report.failure !== undefined) {
      failed++;
      if (Number(values.lines) > 0) report = simulate({ seed, nodes, steps, linesMax: Number(values.lines) });
      print(report);
    } else if (seeds === 1) print(report);
    for (const [name, count] of Object.entries(report.counts)) totals[name] = (totals[name] ?? 0) + count;
    if ((seed - first + 1) % 1000 === 0) console.log(`${seed - first + 1} seeds, ${failed} failed`);
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(
    `seeds ${first} to ${first + seeds - 1}: ${failed} failed, ${seconds.toFixed(1)} s, ${JSON.stringify(totals)}`,
  );
  if (failed > 0) process.exitCode = 1;
}

/** The first seed that shows each bug, and by which rule. */
async function plantBugs(): Promise<void> {
  const compiled = fileURLToPath(new URL('../../src', import.meta.url));
  let missed = 0;
  for (const { name, mutations, reusesIds } of plantedBugs) {
    if (!name.includes(values.only)) continue;
    const implementation = await mutatedImplementation(compiled, mutations);
    let found: SimulationReport | undefined;
    for (let seed = first; seed < first + seeds && found === undefined; seed++) {
      const report = simulate({ seed, nodes, steps, implementation, reusesIds: reusesIds ?? false });
      if (report.failure !== undefined) found = report;
    }
    if (found === undefined) missed++;
    const how = found === undefined ? 'NOT FOUND' : `seed ${found.seed}: ${found.failure!.message.split('\n')[0]}`;
    console.log(`${name}: ${how}`);
  }
  if (missed > 0) process.exitCode = 1;
}

if (values.bugs) await plantBugs();
else runSeeds();
