// What a batch needs to know of the call it answers.

import { Code, type HandlerContext } from '@connectrpc/connect';
import type { ErrorContext } from '../error-map.js';
import type { HeldBytes } from '../held-bytes.js';
import { callStateKey } from './call-state.js';
import type { RpcParts } from './rpc-parts.js';

export interface BatchCall {
  readonly signal: AbortSignal;
  /** For translating what befell single items. */
  readonly errors: ErrorContext;
  /** The answer leaves as JSON, where bytes are base64. */
  readonly json: boolean;
  /** What the call makes the process hold; undefined where nobody counts. */
  readonly held: Pick<HeldBytes, 'take'> | undefined;
}

export function batchCall({ logger }: Pick<RpcParts, 'logger'>, context: HandlerContext): BatchCall {
  const method = `${context.service.typeName}/${context.method.name}`;
  const { id: callId = '', held } = context.values.get(callStateKey) ?? {};
  return {
    signal: context.signal,
    errors: { logger, method, callId, outOfRange: Code.OutOfRange },
    json: answersInJson(context),
    held,
  };
}

export function answersInJson({ requestHeader }: HandlerContext): boolean {
  return requestHeader.get('content-type')?.includes('json') ?? false;
}
