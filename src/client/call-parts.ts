// What a call of the Transport service takes part with.

import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { TransportLease } from './transport-lease.js';

export interface CallParts<Service extends DescService> {
  readonly client: Client<Service>;
  readonly lease: TransportLease;
}
