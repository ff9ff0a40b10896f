// What a failed call means to the caller: the one table from gRPC status codes back to Cairn's. Several of Cairn's codes
// share a status on the wire; then the server says beside it which one it means, and where it does not, as in the items of
// a batch, the most common stands here and callers that know better say so themselves.

import type { ConnectError } from '@connectrpc/connect';
import { CairnError, type ErrorCode, errorCodeHeader, errorCodes } from '../base/errors.js';

/** By gRPC status number; none for success. */
const codeOf: readonly (ErrorCode | undefined)[] = [
  undefined,
  'canceled',
  // Unknown.
  'internal',
  'invalid_argument',
  'timeout',
  'not_found',
  'already_exists',
  'permission_denied',
  // Resource exhausted.
  'no_space',
  'failed_precondition',
  // Aborted.
  'conflict',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  // Data loss.
  'corrupt',
  'unauthenticated',
];

/** Codes that this end's HTTP/2 layer gives to connections that broke; no answer of a server is behind them. */
const brokenConnection: ReadonlySet<ErrorCode> = new Set(['canceled', 'conflict', 'internal']);

/** The code of one item of a batch, which carries a gRPC status number. */
export function codeOfStatus(status: number): ErrorCode {
  return codeOf[status] ?? 'internal';
}

/** The code of a call whose server said this status, and `named` in the header for it. */
export function codeOfCall(status: number, named: unknown): ErrorCode {
  return errorCodes.find((code) => code === named) ?? codeOfStatus(status);
}

/** What an answer means that does not come from a gRPC server, but perhaps from something on the way to it. */
export function codeOfHttpStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'permission_denied';
  return status === 404 ? 'unimplemented' : 'unavailable';
}

/** Whatever a call threw, as a `CairnError`; `canceled` exactly when the caller's signal ended it. */
export function toCairnError(error: unknown, signal?: AbortSignal): CairnError {
  if (signal?.aborted) return new CairnError('canceled', 'canceled', { cause: error });
  const own = cairnErrorBehind(error);
  if (own !== undefined) return own;
  if (!isConnectError(error)) return new CairnError('internal', String(error), { cause: error });
  const saidByServer = error.metadata.has('grpc-status');
  const said = codeOfCall(error.code, error.metadata.get(errorCodeHeader));
  const code = !saidByServer && brokenConnection.has(said) ? 'unavailable' : said;
  return new CairnError(code, error.rawMessage, { cause: error });
}

/** By name: loading Connect for its class would take longer than most commands. */
function isConnectError(error: unknown): error is ConnectError {
  return error instanceof Error && error.name === 'ConnectError';
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
