// Preloaded into a server: how much processor time its main thread spends between two ticks of a timer, which is a turn of
// its event loop, or a few short ones. Waiting for a processor does not count. SIGUSR2 begins a measurement; the next one
// ends it and writes the longest, in milliseconds, to the file that CAIRN_BENCH_TURNS names.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const path = process.env.CAIRN_BENCH_TURNS;
let timer: NodeJS.Timeout | undefined;
let longest = 0;

/**
 * Milliseconds that the main thread has run, by the first field of proc(5)'s `schedstat`. The system brings that up to date at its
 * own ticks, up to 4 ms apart, or when somebody asks for the time that the process has used.
 */
function ran(): number {
  process.cpuUsage();
  return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1e6;
}

process.on('SIGUSR2', () => {
  if (timer === undefined) {
    longest = 0;
    let last = ran();
    timer = setInterval(() => {
      const now = ran();
      longest = Math.max(longest, now - last);
      last = now;
    }, 1);
    timer.unref();
  } else if (path !== undefined) {
    clearInterval(timer);
    timer = undefined;
    writeFileSync(`${path}.new`, String(longest));
    renameSync(`${path}.new`, path);
  }
});
