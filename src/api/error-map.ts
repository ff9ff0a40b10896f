// The one table from our error codes to those of the transports. A code without a row fails to compile. What was not
// meant to be seen by a caller leaves as `internal` with a fixed message; its cause goes to the log.

import { Code, ConnectError } from '@connectrpc/connect';
import { CairnError, type ErrorCode } from '../base/errors.js';
import type { Logger } from './logger.js';

interface Row {
  readonly connect: Code;
  readonly http: number;
}

const errorTable: Record<ErrorCode, Row> = {
  invalid_argument: { connect: Code.InvalidArgument, http: 400 },
  not_found: { connect: Code.NotFound, http: 404 },
  already_exists: { connect: Code.AlreadyExists, http: 409 },
  out_of_range: { connect: Code.OutOfRange, http: 416 },
  digest_mismatch: { connect: Code.InvalidArgument, http: 400 },
  failed_precondition: { connect: Code.FailedPrecondition, http: 412 },
  timeout: { connect: Code.DeadlineExceeded, http: 504 },
  unavailable: { connect: Code.Unavailable, http: 503 },
  canceled: { connect: Code.Canceled, http: 499 },
  unimplemented: { connect: Code.Unimplemented, http: 501 },
  conflict: { connect: Code.Aborted, http: 409 },
  corrupt: { connect: Code.DataLoss, http: 500 },
  storage: { connect: Code.Internal, http: 500 },
  no_space: { connect: Code.ResourceExhausted, http: 507 },
  too_large: { connect: Code.ResourceExhausted, http: 413 },
  overloaded: { connect: Code.ResourceExhausted, http: 429 },
  unauthenticated: { connect: Code.Unauthenticated, http: 401 },
  permission_denied: { connect: Code.PermissionDenied, http: 403 },
  internal: { connect: Code.Internal, http: 500 },
};

/** What a caller reads about an error that is none of theirs. */
export const internalMessage = 'internal error';

export interface ErrorContext {
  readonly logger: Logger;
  /** `package.Service/Method`. */
  readonly method: string;
  readonly callId: string;
  /** The zako Transport service reports a range outside the blob as InvalidArgument. */
  readonly outOfRange: Code.InvalidArgument | Code.OutOfRange;
}

export function httpStatus(code: ErrorCode): number {
  return errorTable[code].http;
}

/** Faults of this server, as against mistakes of the caller: their causes belong in the log. */
export function isServerFault(code: ErrorCode): boolean {
  return httpStatus(code) === 500;
}

/** Translates for the wire, and logs what is this server's fault. A ConnectError comes from the transport and stays. */
export function toConnectError(error: unknown, context: ErrorContext): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = error instanceof CairnError ? error.code : 'internal';
  if (isServerFault(code)) {
    context.logger.error({ err: error, code, method: context.method, call: context.callId }, 'call failed');
  }
  const message = error instanceof CairnError && code !== 'internal' ? error.message : internalMessage;
  return new ConnectError(message, code === 'out_of_range' ? context.outOfRange : errorTable[code].connect);
}
