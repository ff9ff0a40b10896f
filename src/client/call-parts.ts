// What a call of the Transport service takes part with.

import type { Services } from './services.js';
import type { TransportLease } from './transport-lease.js';

export interface CallParts {
  client(): Promise<Services['transport']>;
  readonly lease: TransportLease;
}
