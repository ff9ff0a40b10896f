// Read, decide, write if nobody was faster: again and again, up to a limit.

import { type Clock, sleep } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';

export interface RetryParts {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Calls `attempt` until it answers something else than undefined, which says that another was faster. `conflict` after
 * `commitAttemptsCountMax`, with waits of random length between them.
 */
export async function untilCommitted<T>(
  { clock, random }: RetryParts,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; tries < limits.commitAttemptsCountMax; tries++) {
    const outcome = await attempt();
    if (outcome !== undefined) return outcome;
    const share = random.bytes(1)[0]! / 256;
    await sleep(clock, share * Math.min(2 ** tries, limits.commitRetryMillisecondsMax));
  }
  throw new CairnError('conflict', 'too many others changed the same file at this moment');
}
