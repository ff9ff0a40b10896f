// How a call that fails is told to its caller, whichever way it was served: what ended it, in the words of the wire.

import { Code, ConnectError } from '@connectrpc/connect';
import { CairnError } from '../../base/errors.js';
import { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import { toConnectError } from '../error-map.js';
import { type CallState, codeName } from './call-state.js';
import type { RpcParts } from './rpc-parts.js';

/** The part of an AbortSignal that tells whether and why a call has to end. */
export type CallSignal = Pick<AbortSignal, 'aborted' | 'reason'>;

/** The error to answer with. Notes its code in the call's state, and logs what is this server's fault. */
export function refusalOf(
  parts: Pick<RpcParts, 'logger' | 'shutdown'>,
  call: CallState,
  error: unknown,
  signal: CallSignal,
): ConnectError {
  const translated = toConnectError(endOfCall(error, signal, parts.shutdown), {
    logger: parts.logger,
    method: call.method,
    callId: call.id,
    outOfRange: call.method.startsWith(`${Transport.typeName}/`) ? Code.InvalidArgument : Code.OutOfRange,
  });
  call.code = codeName(translated.code);
  return translated;
}

/** What ended a call whose signal aborted: the server's shutdown, its deadline, or the caller's going away. */
function endOfCall(error: unknown, signal: CallSignal, shutdown: AbortSignal): unknown {
  const isAftermath = error instanceof CairnError ? error.code === 'canceled' : true;
  if (!signal.aborted || !isAftermath) return error;
  if (shutdown.aborted) return new CairnError('unavailable', 'the server is shutting down');
  if (signal.reason instanceof ConnectError) return signal.reason;
  return new CairnError('canceled', 'the call was canceled');
}
