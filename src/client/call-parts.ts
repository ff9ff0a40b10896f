// What a call of the Transport service takes part with.

import type { Clock } from '../base/clock.js';
import type { Random } from '../base/random.js';
import type { Services } from './services.js';
import type { TransportLease } from './transport-lease.js';

export interface CallParts {
  client(): Promise<Services['transport']>;
  readonly lease: TransportLease;
  readonly clock: Clock;
  readonly random: Random;
}
