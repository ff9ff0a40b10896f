// What a failed call means to the caller: the one table from Connect codes back to Cairn's. Several of Cairn's codes
// share a Connect code on the wire; then the most common stands here and callers that know better say so themselves.

import { Code, ConnectError } from '@connectrpc/connect';
import { CairnError, type ErrorCode } from '../base/errors.js';

const codeOf: Record<Code, ErrorCode> = {
  [Code.Canceled]: 'canceled',
  [Code.Unknown]: 'internal',
  [Code.InvalidArgument]: 'invalid_argument',
  [Code.DeadlineExceeded]: 'timeout',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'already_exists',
  [Code.PermissionDenied]: 'permission_denied',
  [Code.ResourceExhausted]: 'no_space',
  [Code.FailedPrecondition]: 'failed_precondition',
  [Code.Aborted]: 'conflict',
  [Code.OutOfRange]: 'out_of_range',
  [Code.Unimplemented]: 'unimplemented',
  [Code.Internal]: 'internal',
  [Code.Unavailable]: 'unavailable',
  [Code.DataLoss]: 'corrupt',
  [Code.Unauthenticated]: 'unauthenticated',
};

/** Codes that this end's HTTP/2 layer gives to connections that broke; no answer of a server is behind them. */
const brokenConnection = new Set([Code.Canceled, Code.Aborted, Code.Internal, Code.Unknown]);

/** The code of one item of a batch, which carries a gRPC status number. */
export function codeOfStatus(status: number): ErrorCode {
  return codeOf[status as Code] ?? 'internal';
}

/** Whatever a call threw, as a `CairnError`; `canceled` exactly when the caller's signal ended it. */
export function toCairnError(error: unknown, signal?: AbortSignal): CairnError {
  if (signal?.aborted) return new CairnError('canceled', 'canceled', { cause: error });
  const own = cairnErrorBehind(error);
  if (own !== undefined) return own;
  if (!(error instanceof ConnectError)) return new CairnError('internal', String(error), { cause: error });
  const saidByServer = error.metadata.has('grpc-status');
  const code = !saidByServer && brokenConnection.has(error.code) ? 'unavailable' : codeOf[error.code];
  return new CairnError(code, error.rawMessage, { cause: error });
}

/** An error of ours that passed through the transport, as when the source of an upload fails. */
function cairnErrorBehind(error: unknown): CairnError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof CairnError) return at;
  }
  return undefined;
}

/** Would asking again, on a new connection, have a chance? */
export function isBrokenConnection(error: CairnError): boolean {
  return error.code === 'unavailable' || error.code === 'timeout';
}

/** What the caller's own source of bytes threw: `failed_precondition` unless it says better. */
export function sourceError(error: unknown): CairnError {
  if (error instanceof CairnError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CairnError('failed_precondition', `the source failed: ${reason}`, { cause: error });
}
