// zako.v1.cas.ContentAddressableStorage: what is missing, and where to move it.

import type { ServiceImpl } from '@connectrpc/connect';
import { CairnError } from '../../base/errors.js';
import type { ContentAddressableStorage } from '../../gen/zako/v1/cas/cas_pb.js';
import { Protocol } from '../../gen/zako/v1/net/net_pb.js';
import { callerKey } from './call-state.js';
import { missingDigests } from './missing-digests.js';
import { localEndpoint, toSocketAddress } from './peer.js';
import type { RpcParts } from './rpc-parts.js';
import { untilAborted } from './until-aborted.js';

type Parts = Pick<
  RpcParts,
  'store' | 'negotiateConcurrency' | 'lookups' | 'advertise' | 'tokens' | 'tokenHolders' | 'recommendedConcurrency'
>;

export function casService(parts: Parts): ServiceImpl<typeof ContentAddressableStorage> {
  return {
    /** One answer for each question, in order: a client cannot tell silence from a slow server. */
    async *negotiateBlobs(requests, { signal }) {
      for await (const { blobDigests } of untilAborted(requests, signal)) {
        yield { missingBlobDigests: await missingDigests(parts, blobDigests, signal) };
      }
    },

    getTransportDetails({ supportedProtocols }, context) {
      if (!supportedProtocols.includes(Protocol.grpc)) {
        throw new CairnError('failed_precondition', 'none of the supported protocols is spoken here: grpc is');
      }
      const endpoint = parts.advertise ?? localEndpoint(context);
      const authToken = parts.tokens.issue();
      parts.tokenHolders.hold(authToken, context.values.get(callerKey));
      return {
        ...(endpoint && { serverAddr: toSocketAddress(endpoint) }),
        authToken,
        recommendedConcurrency: parts.recommendedConcurrency,
      };
    },
  };
}
