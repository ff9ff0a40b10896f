// The generated clients of the services. Loaded with the first call that needs one: they bring Connect with them.

import { type Client, type Transport as ConnectTransport, createClient } from '@connectrpc/connect';
import { AccountService } from '../gen/cairn/v1/account_service_pb.js';
import { BlobService } from '../gen/cairn/v1/blob_service_pb.js';
import { Transport } from '../gen/zako/v1/transport/transport_pb.js';

export interface Services {
  readonly blobs: Client<typeof BlobService>;
  readonly transport: Client<typeof Transport>;
  readonly accounts: Client<typeof AccountService>;
}

export function createServices(transport: ConnectTransport): Services {
  return {
    blobs: createClient(BlobService, transport),
    transport: createClient(Transport, transport),
    accounts: createClient(AccountService, transport),
  };
}
