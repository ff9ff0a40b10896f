// The one error class. Every failure a caller could meet has a code from this closed list; the words are free.
// Nothing here knows of transports: faces translate codes in `api/error-map.ts`, and clients translate them back.

export const errorCodes = [
  'invalid_argument',
  'not_found',
  'already_exists',
  'out_of_range',
  'digest_mismatch',
  'failed_precondition',
  'no_node',
  'timeout',
  'unavailable',
  'canceled',
  'unimplemented',
  'conflict',
  'corrupt',
  'storage',
  'no_space',
  'too_large',
  'overloaded',
  'unauthenticated',
  'permission_denied',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Where a code travels beside a status of the transport that several codes share, among headers or trailers. */
export const errorCodeHeader = 'cairn-error';

/** What an error is about: the thing that is not there, is there already, or was named wrongly. */
export interface ErrorSubject {
  readonly kind: 'file' | 'upload' | 'chunk' | 'node' | 'parameter';
  /** Its name, as the caller knows it. */
  readonly id: string;
}

export class CairnError extends Error {
  override readonly name = 'CairnError';
  readonly subject: ErrorSubject | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    { subject, ...options }: { readonly cause?: unknown; readonly subject?: ErrorSubject | undefined } = {},
  ) {
    super(message, options);
    this.subject = subject;
  }
}

/** The error's own code when it has one; `internal` for anything that was not meant to be seen by a caller. */
export function errorCode(error: unknown): ErrorCode {
  return error instanceof CairnError ? error.code : 'internal';
}

/** Ends the process's current path when something the code itself guarantees does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
