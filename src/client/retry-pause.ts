// How long a client waits before it asks again.

import type { Random } from '../base/random.js';

/** Between half of so many milliseconds and all, so that clients which lost a server together do not come back together. */
export function retryPause(random: Random, milliseconds: number): number {
  return milliseconds * (0.5 + random.bytes(1)[0]! / 512);
}
