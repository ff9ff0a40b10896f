// Measurements as Markdown, with what one needs to judge and to repeat them.

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { hashEngine } from '../src/blake3/hasher.js';
import { type Effort, type Measurement, measure, type Scenario } from './harness.js';
import { describeMissing } from './programs.js';

/** Measures a scenario, closes it, and makes a section of it. */
export async function compare(opening: Scenario | Promise<Scenario>, effort: Effort): Promise<string> {
  const scenario = await opening;
  try {
    return formatScenario(scenario, await measure(scenario, effort));
  } finally {
    await scenario.close();
  }
}

function formatScenario(scenario: Scenario, measurements: readonly Measurement[]): string {
  const { title, about, unit, missing = [], yardstickCount, yardstick: which } = scenario;
  const lines = [`## ${title}`, ''];
  if (about !== undefined) lines.push(about, '');
  if (measurements.length > 0) {
    const yardsticks = measurements.slice(0, yardstickCount).map(({ median }) => median);
    const yardstick = which === 'fastest' ? Math.max(...yardsticks) : Math.min(...yardsticks);
    lines.push(`| ${unit} per second | median | lowest–highest | ratio | budget |`, '|---|---:|---:|---:|---|');
    lines.push(...measurements.map((measurement) => formatRow(measurement, yardstick, measurements)), '');
  }
  for (const name of missing) lines.push(describeMissing(name), '');
  return lines.join('\n');
}

function formatRow(
  { subject, median, lowest, highest }: Measurement,
  yardstick: number,
  all: readonly Measurement[],
): string {
  const { name, budget, atLeast = {} } = subject;
  const ratio = median / yardstick;
  const budgets = budget === undefined ? [] : [formatBudget(ratio, budget)];
  for (const [other, least] of Object.entries(atLeast)) {
    const times = median / all.find((measurement) => measurement.subject.name === other)!.median;
    budgets.push(`${formatBudget(times, least)} × ${other}: ${times.toFixed(2)}`);
  }
  const spread = `${formatNumber(lowest)}–${formatNumber(highest)}`;
  return `| ${name} | ${formatNumber(median)} | ${spread} | ${ratio.toFixed(2)} | ${budgets.join('; ')} |`;
}

/** What is asked, and whether it is missed. */
export function formatBudget(value: number, least: number): string {
  return `≥ ${formatNumber(least)}${value < least ? ' **missed**' : ''}`;
}

export function formatHeader({ runs }: Effort): string {
  const cpu = cpus();
  return [
    '# Measured',
    '',
    'Written by `npm run bench`, a part at a time; do not edit. Ratios are to the yardstick of each table, from the same run: its',
    'first row; the slower of its first two where the work cannot be faster than both; the faster of the two where they are other',
    'tools for the same job. Absolute numbers are of this machine alone.',
    '',
    `- Medians of ${runs} runs after a warm-up, where a part does not say otherwise. Clients and servers are processes of their own.`,
    `- Machine: ${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- ${type()} ${release()}, Node ${process.versions.node}, BLAKE3 ${hashEngine.name}`,
    '',
    '',
  ].join('\n');
}

/** With what one needs to judge it. */
export function formatPart(section: string, loadBefore: number, seconds: number): string {
  const load = `load of the machine over the minute before, the bench's own included: ${loadBefore.toFixed(1)}`;
  return `${section}\nCommit ${commit()}; took ${Math.round(seconds)} s; ${load}.\n`;
}

/** Puts a part into the file in place of what it had, in the order of the names. */
export async function record(
  path: string,
  names: readonly string[],
  name: string,
  part: string,
  header: string,
): Promise<void> {
  const recorded = new Map<string, string>();
  const text = await readFile(path, 'utf8').catch(() => '');
  for (const [, known, body] of text.matchAll(/<!-- (\S+) -->\n([\s\S]*?)<!-- end -->/g)) recorded.set(known!, body!);
  recorded.set(name, part);
  const parts = names.flatMap((each) => {
    const body = recorded.get(each);
    return body === undefined ? [] : [`<!-- ${each} -->\n${body}<!-- end -->\n`];
  });
  await writeFile(path, header + parts.join('\n'));
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return (
      git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--', 'src') === '' ? '' : ' with changes')
    );
  } catch {
    return 'unknown';
  }
}

/** Small ones as they are. */
export function formatNumber(value: number): string {
  return (value < 10 ? Math.round(value * 100) / 100 : Math.round(value)).toLocaleString('en-US');
}
