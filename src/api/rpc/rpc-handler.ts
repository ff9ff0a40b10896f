// All RPCs as one request listener. (Being written: the signature is what others may build on.)

import type { RpcListener, RpcParts } from './rpc-parts.js';

/** Answers RPCs in Connect, gRPC and gRPC-Web; hands every other request to `fallback`. */
export function rpcHandler(_parts: RpcParts, fallback: RpcListener): RpcListener {
  return fallback;
}
