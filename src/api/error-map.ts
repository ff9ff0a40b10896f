// The one table from our error codes to those of the transports. A code without a row fails to compile. What was not
// meant to be seen by a caller leaves as `internal` with a fixed message; its cause goes to the log.

import { Code, ConnectError } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { formatTime } from '../base/clock.js';
import { CairnError, type ErrorCode, type ErrorSubject, errorCode, errorCodeHeader } from '../base/errors.js';
import type { Logger } from './logger.js';

/** What the LumeoFS faces call an error, by its number there. */
export const lumeoNames = {
  1001: 'INVALID_PARAMETER',
  1002: 'FILE_NOT_FOUND',
  1003: 'FILE_ALREADY_EXISTS',
  1004: 'CHUNK_NOT_FOUND',
  1005: 'NODE_NOT_FOUND',
  2001: 'NO_AVAILABLE_NODE',
  2002: 'INSUFFICIENT_REPLICAS',
  2003: 'REPLICATION_FAILED',
  3001: 'NETWORK_ERROR',
  3002: 'TIMEOUT',
  3003: 'CONNECTION_REFUSED',
  4001: 'INTERNAL_ERROR',
  4002: 'RAFT_ERROR',
  4003: 'STORAGE_ERROR',
  5001: 'AUTHENTICATION_FAILED',
  5002: 'PERMISSION_DENIED',
} as const;

type LumeoCode = keyof typeof lumeoNames;

interface Row {
  readonly connect: Code;
  readonly http: number;
  readonly lumeo: LumeoCode;
}

const errorTable: Record<ErrorCode, Row> = {
  invalid_argument: { connect: Code.InvalidArgument, http: 400, lumeo: 1001 },
  not_found: { connect: Code.NotFound, http: 404, lumeo: 1001 },
  already_exists: { connect: Code.AlreadyExists, http: 409, lumeo: 1003 },
  out_of_range: { connect: Code.OutOfRange, http: 416, lumeo: 1001 },
  digest_mismatch: { connect: Code.InvalidArgument, http: 400, lumeo: 1001 },
  failed_precondition: { connect: Code.FailedPrecondition, http: 412, lumeo: 1001 },
  no_node: { connect: Code.Unavailable, http: 503, lumeo: 2001 },
  timeout: { connect: Code.DeadlineExceeded, http: 504, lumeo: 3002 },
  unavailable: { connect: Code.Unavailable, http: 503, lumeo: 3001 },
  canceled: { connect: Code.Canceled, http: 499, lumeo: 3001 },
  unimplemented: { connect: Code.Unimplemented, http: 501, lumeo: 1001 },
  conflict: { connect: Code.Aborted, http: 409, lumeo: 4002 },
  corrupt: { connect: Code.DataLoss, http: 500, lumeo: 4003 },
  storage: { connect: Code.Internal, http: 500, lumeo: 4003 },
  no_space: { connect: Code.ResourceExhausted, http: 507, lumeo: 4003 },
  too_large: { connect: Code.ResourceExhausted, http: 413, lumeo: 1001 },
  overloaded: { connect: Code.ResourceExhausted, http: 429, lumeo: 3001 },
  unauthenticated: { connect: Code.Unauthenticated, http: 401, lumeo: 5001 },
  permission_denied: { connect: Code.PermissionDenied, http: 403, lumeo: 5002 },
  internal: { connect: Code.Internal, http: 500, lumeo: 4001 },
};

/** What was not found decides its number; of anything else there is none but that of a wrong parameter. */
const notFoundTable: Partial<Record<ErrorSubject['kind'], LumeoCode>> = {
  file: 1002,
  upload: 1002,
  chunk: 1004,
  node: 1005,
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

/**
 * Translates for the wire, and logs what is this server's fault. A ConnectError comes from the transport and stays. Where
 * the status says less than our code does, the code travels beside it.
 */
export function toConnectError(error: unknown, context: ErrorContext): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = errorCode(error);
  if (isServerFault(code)) {
    context.logger.error({ err: error, code, method: context.method, call: context.callId }, 'call failed');
  }
  const connect = code === 'out_of_range' ? context.outOfRange : errorTable[code].connect;
  const isTold = codeToString(connect) === code;
  return new ConnectError(publicMessage(error), connect, isTold ? undefined : { [errorCodeHeader]: code });
}

/** The words of an error that a caller may read. */
export function publicMessage(error: unknown): string {
  return error instanceof CairnError && error.code !== 'internal' ? error.message : internalMessage;
}

/** An error as both LumeoFS faces print it. */
export interface LumeoError {
  readonly code: LumeoCode;
  readonly message: string;
  readonly error: (typeof lumeoNames)[LumeoCode];
  /** What it is about, by name, and when it happened. */
  readonly details: Readonly<Record<string, string>>;
}

/** `now` in milliseconds of Unix time. The caller logs what is this server's fault. */
export function toLumeoError(error: unknown, now: number): LumeoError {
  const code = errorCode(error);
  const subject = error instanceof CairnError ? error.subject : undefined;
  const missing = code === 'not_found' && subject !== undefined ? notFoundTable[subject.kind] : undefined;
  const number = missing ?? errorTable[code].lumeo;
  const about = subject && { [subject.kind === 'parameter' ? 'parameter' : `${subject.kind}_id`]: subject.id };
  return {
    code: number,
    message: missing === undefined ? publicMessage(error) : `${subject?.kind} not found`,
    error: lumeoNames[number],
    details: { ...about, timestamp: formatTime(now) },
  };
}
