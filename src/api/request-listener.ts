// The shape of every handler here: what HTTP/1.1 and HTTP/2 servers both call with a request. The types are those of
// the Connect adapter, which smooths the two versions' differences but does not export them by name.

import type { connectNodeAdapter } from '@connectrpc/connect-node';

export type RequestListener = ReturnType<typeof connectNodeAdapter>;
export type NodeRequest = Parameters<RequestListener>[0];
export type NodeResponse = Parameters<RequestListener>[1];
