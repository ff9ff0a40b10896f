// What is known of one call while it runs; the listener makes it, the interceptor fills in how the call ended.

import { Code, type ContextKey, createContextKey } from '@connectrpc/connect';

export interface CallState {
  readonly id: string;
  /** `package.Service/Method`. */
  readonly method: string;
  /** `ok` or a Connect code's name, once it is known. */
  code: string | undefined;
}

/** Undefined for calls that came without the listener, through an in-process router. */
export const callStateKey: ContextKey<CallState | undefined> = createContextKey<CallState | undefined>(undefined, {
  description: 'state of the call',
});

/** `not_found` and so on, as the Connect protocol spells them. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
}
