// How ports come to rest: nothing new, a while for what is under way, the end of what is left.

import type { Port } from '../api/port.js';
import { type Clock, sleep } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** Pause between looks for connections that have come to rest. */
const stepMilliseconds = 20;

/** Resolves when no connection is left. Calls under way have so many milliseconds, and a moment for their last words. */
export async function drainPorts(
  ports: readonly Port[],
  shutdown: AbortController,
  clock: Clock,
  milliseconds: number,
): Promise<void> {
  let allClosed = false;
  for (const port of ports) port.drain();
  const closed = Promise.all(ports.map((port) => port.closed())).then(() => {
    allClosed = true;
  });
  const drainUntil = async (deadline: number) => {
    while (!allClosed && clock.monotonic() < deadline) {
      await Promise.race([closed, sleep(clock, stepMilliseconds)]);
      for (const port of ports) port.drain();
    }
  };
  await drainUntil(clock.monotonic() + milliseconds);
  shutdown.abort(new CairnError('unavailable', 'the server is stopping'));
  await drainUntil(clock.monotonic() + Math.min(milliseconds, limits.lastWordsMillisecondsMax));
  for (const port of ports) port.destroy();
  await closed;
}
