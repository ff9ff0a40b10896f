// Measurements as Markdown, with what one needs to judge and to repeat them.

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { hashEngine } from '../src/blake3/hasher.js';
import type { Measurement, Scenario } from './harness.js';

export function formatScenario(
  { title, unit, yardstickCount, yardstick: which }: Scenario,
  measurements: readonly Measurement[],
): string {
  const yardsticks = measurements.slice(0, yardstickCount).map(({ median }) => median);
  const yardstick = which === 'fastest' ? Math.max(...yardsticks) : Math.min(...yardsticks);
  const rows = measurements.map(({ subject, median, lowest, highest }) => {
    const ratio = median / yardstick;
    const budget =
      subject.budget === undefined ? '' : `≥ ${subject.budget}${ratio < subject.budget ? ' **missed**' : ''}`;
    const spread = `${formatNumber(lowest)}–${formatNumber(highest)}`;
    return `| ${subject.name} | ${formatNumber(median)} | ${spread} | ${ratio.toFixed(2)} | ${budget} |`;
  });
  return [
    `## ${title}`,
    '',
    `| ${unit} per second | median | lowest–highest | ratio | budget |`,
    '|---|---:|---:|---:|---|',
    ...rows,
    '',
  ].join('\n');
}

export function formatHeader(runs: number): string {
  const cpu = cpus();
  return [
    '# Measured',
    '',
    'Written by `npm run bench`, a part at a time; do not edit. Ratios are to the yardstick of each table, from the same run: its',
    'first row; the slower of its first two where the work cannot be faster than both; the faster of the two where they are other',
    'tools for the same job. Absolute numbers are of this machine alone.',
    '',
    `- Medians of ${runs} runs after a warm-up, where a part does not say otherwise`,
    `- Machine: ${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- ${type()} ${release()}, Node ${process.versions.node}, BLAKE3 ${hashEngine.name}`,
    '',
    '',
  ].join('\n');
}

/** With what one needs to judge it. */
export function formatPart(section: string, loadBefore: number): string {
  const load = `load of the machine over the minute before, the bench's own included: ${loadBefore.toFixed(1)}`;
  return `${section}\nCommit ${commit()}; ${load}.\n`;
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

function formatNumber(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
