// Who calls, and what they may do. An account has roles; roles stand for operations; a token may be cut down to some of
// them. Every face asks `authorize`, and nobody else decides.

import { CairnError } from '../../base/errors.js';

/**
 * What can be done here: look, store, remove, rule over accounts and the server, and what only nodes of a cluster do
 * to one another.
 */
export const operations = ['read', 'write', 'delete', 'admin', 'node'] as const;
export type Operation = (typeof operations)[number];

export const roles = ['reader', 'writer', 'admin', 'node'] as const;
export type Role = (typeof roles)[number];

const operationsOfRole: Readonly<Record<Role, readonly Operation[]>> = {
  reader: ['read'],
  writer: ['read', 'write', 'delete'],
  admin: ['read', 'write', 'delete', 'admin'],
  node: ['read', 'write', 'delete', 'node'],
};

/** What a method or a route asks of its caller: an operation, that it is somebody, or nothing at all. */
export type Need = Operation | 'account' | 'public';

/** What a principal was let in by, where that can be ended: a login, or a token. */
export interface Session {
  readonly kind: 'login' | 'token';
  readonly id: string;
}

export interface Principal {
  /** The account's name; empty for everybody, on a server without accounts. */
  readonly name: string;
  readonly roles: readonly Role[];
  readonly operations: ReadonlySet<Operation>;
  /** Undefined for who gave a password or a certificate. */
  readonly session: Session | undefined;
}

/** The caller of a server without accounts: there is nobody else, so everybody may do everything. */
export const everybody: Principal = {
  name: '',
  roles: [],
  operations: new Set(operations),
  session: undefined,
};

/** Who was not asked, because what they want is for everyone. */
export const nobody: Principal = { name: '', roles: [], operations: new Set(), session: undefined };

/** All operations of the roles, in the order of `operations`. */
export function operationsOf(held: readonly Role[]): Operation[] {
  const granted = new Set(held.flatMap((role) => operationsOfRole[role]));
  return operations.filter((operation) => granted.has(operation));
}

/** `permission_denied` unless the principal may do what is needed. */
export function authorize({ name, operations: granted }: Principal, need: Need): void {
  if (need === 'public' || need === 'account' || granted.has(need)) return;
  throw new CairnError('permission_denied', `this takes the right "${need}", which ${JSON.stringify(name)} has not`);
}
