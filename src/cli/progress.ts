// A bar with rate and time left, on standard error, on a terminal only. In a pipe it is silent.

import { createRequire } from 'node:module';
import type CliProgress from 'cli-progress';
import type { Clock } from '../base/clock.js';
import { formatBytes } from './format.js';
import type { Output } from './output.js';

export interface Progress {
  /** There is so much more to do. */
  expect(bytes: number): void;
  /** So much more is done. */
  advance(bytes: number): void;
  stop(): void;
}

const silent: Progress = { expect: () => {}, advance: () => {}, stop: () => {} };

export interface ProgressParts {
  readonly clock: Clock;
  readonly output: Output;
  readonly stream: NodeJS.WriteStream;
}

export function startProgress(label: string, { clock, output, stream }: ProgressParts): Progress {
  if (!stream.isTTY) return silent;
  // Loaded here: most runs have no terminal, and this takes longer than many commands.
  const cliProgress = createRequire(import.meta.url)('cli-progress') as typeof CliProgress;
  const startedAt = clock.monotonic();
  const bar = new cliProgress.SingleBar({
    stream,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
    format(options, { progress, value, total }) {
      const seconds = (clock.monotonic() - startedAt) / 1000;
      const rate = seconds > 0 ? value / seconds : 0;
      const left = rate > 0 ? formatSeconds((total - value) / rate) : '–';
      const drawn = cliProgress.Format.BarFormat(progress, { ...options, barsize: 24 });
      return `${label} ${drawn} ${formatBytes(value)} of ${formatBytes(total)} · ${formatBytes(rate)}/s · ${left} left`;
    },
    barCompleteChar: '█',
    barIncompleteChar: '░',
  });
  let expected = 0;
  bar.start(0, 0);
  output.beforeWrite = () => stream.write('\r\x1b[K');
  return {
    expect(bytes) {
      expected += bytes;
      bar.setTotal(expected);
    },
    advance: (bytes) => bar.increment(bytes),
    stop() {
      bar.stop();
      output.beforeWrite = () => {};
    },
  };
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
