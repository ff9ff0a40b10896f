// Measurements as Markdown, with what one needs to judge and to repeat them.

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
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

export function formatHeader(command: string, runs: number): string {
  const cpu = cpus();
  return [
    '# Measured',
    '',
    'Written by the command below; do not edit. Ratios are to the yardstick of each table, from the same run: its first row; the',
    'slower of its first two where the work cannot be faster than both; the faster of the two where they are other tools for',
    'the same job. Absolute numbers are of this machine alone.',
    '',
    `- Command: \`${command}\`, ${runs} runs after a warm-up, medians`,
    `- Commit: ${commit()}`,
    `- Machine: ${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- Load of the machine before the start, over a minute: ${loadavg()[0]!.toFixed(1)}. Above 1, the numbers are noise`,
    `- ${type()} ${release()}, Node ${process.versions.node}, BLAKE3 ${hashEngine.name}`,
    '',
    '',
  ].join('\n');
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
