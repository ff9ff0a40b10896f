// zako.v1.transport.Transport: moves the bytes of single blobs.

import type { ServiceImpl } from '@connectrpc/connect';
import type { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import { download } from './download.js';
import type { RpcParts } from './rpc-parts.js';
import { upload } from './upload.js';

export function transportService(parts: Pick<RpcParts, 'store' | 'budget' | 'clock'>): ServiceImpl<typeof Transport> {
  return {
    download: (request, context) => download(parts, request, context),
    upload: (requests, context) => upload(parts.store, requests, context),
  };
}
