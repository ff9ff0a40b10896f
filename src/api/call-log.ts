// Finished calls of every face, in one shape, for whoever counts or logs them.

import type { ErrorCode } from '../base/errors.js';
import type { CallRecord } from './rpc/rpc-parts.js';

/** One finished call. Over REST `method` is the method and the route, `PUT /blobs/{hash}`. */
export type Call = CallRecord | OtherCall;

/** A call that is none of RPC's; `code` is ours. */
export interface OtherCall extends Omit<CallRecord, 'protocol' | 'code'> {
  readonly protocol: 'http' | 'lmof';
  readonly code: ErrorCode | 'ok';
}

export type CallObserver = (call: Call) => void;

/** The part of a logger used here; pino fits. */
export interface DebugLogger {
  debug(fields: object, message: string): void;
  isLevelEnabled(level: 'debug'): boolean;
}

/** Logs every call at debug level, and costs next to nothing at others. */
export function callLogger(logger: DebugLogger): CallObserver {
  return (call) => {
    if (logger.isLevelEnabled('debug')) logger.debug(call, 'call');
  };
}

/** One observer of them all. */
export function observeAll(observers: readonly CallObserver[]): CallObserver {
  return (call) => {
    for (const observe of observers) observe(call);
  };
}

/** Names for calls: short, unique in this process. */
export function callIds(): () => string {
  let last = 0;
  return () => (++last).toString(36);
}
