// What is known of one call while it runs; the listener makes it, the interceptor fills in how the call ended.

import { Code, type ConnectError, type ContextKey, createContextKey } from '@connectrpc/connect';
import type { Caller } from '../auth/credentials.js';
import { nobody, type Principal } from '../auth/principal.js';
import type { HeldBytes } from '../held-bytes.js';

export interface CallState {
  readonly id: string;
  /** `package.Service/Method`. */
  readonly method: string;
  /** Name of the account it is made by, once that is known. */
  account: string;
  /** `ok` or a Connect code's name, once it is known. */
  code: string | undefined;
  /** What it makes the process hold until it is over. */
  readonly held?: HeldBytes;
  /** Why the call was not let in, which ends it before anything of it is read. */
  refusal?: ConnectError;
}

/** Undefined for calls that came without the listener, through an in-process router. */
export const callStateKey: ContextKey<CallState | undefined> = createContextKey<CallState | undefined>(undefined, {
  description: 'state of the call',
});

/** Who calls, as the gate has found. */
export const principalKey: ContextKey<Principal> = createContextKey<Principal>(nobody, { description: 'principal' });

/** What the caller presented. */
export const callerKey: ContextKey<Caller> = createContextKey<Caller>(
  { authorization: undefined, address: '', certificateName: undefined },
  { description: 'caller' },
);

/** `not_found` and so on, as the Connect protocol spells them. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
}
