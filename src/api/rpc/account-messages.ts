// Accounts and tokens as messages. Neither direction knows a password's hash.

import { CairnError } from '../../base/errors.js';
import { Operation as WireOperation, Role as WireRole } from '../../gen/cairn/v1/account_service_pb.js';
import type { Account, LastingToken } from '../auth/account-book.js';
import type { Operation, Role } from '../auth/principal.js';

const wireRoles: Readonly<Record<Role, WireRole>> = {
  reader: WireRole.READER,
  writer: WireRole.WRITER,
  admin: WireRole.ADMIN,
  node: WireRole.NODE,
};

const wireOperations: Readonly<Record<Operation, WireOperation>> = {
  read: WireOperation.READ,
  write: WireOperation.WRITE,
  delete: WireOperation.DELETE,
  admin: WireOperation.ADMIN,
  node: WireOperation.NODE,
};

export function toUserMessage({
  name,
  roles,
  email,
  createdAt,
}: Pick<Account, 'name' | 'roles' | 'email' | 'createdAt'>) {
  return { username: name, roles: roles.map((role) => wireRoles[role]), email, createdAtMs: BigInt(createdAt) };
}

export function toTokenMessage({ id, label, operations, createdAt, expiresAt }: LastingToken) {
  const message = { id, label, operations: toWireOperations(operations), createdAtMs: BigInt(createdAt) };
  return expiresAt === undefined ? message : { ...message, expiresAtMs: BigInt(expiresAt) };
}

export function toWireOperations(operations: Iterable<Operation>): WireOperation[] {
  return Array.from(operations, (operation) => wireOperations[operation]);
}

/** `invalid_argument` for numbers that are none of ours. */
export function fromWireOperations(numbers: readonly WireOperation[]): Operation[] {
  return numbers.map((number) => named(wireOperations, number, 'an operation'));
}

export function fromWireRoles(numbers: readonly WireRole[]): Role[] {
  return numbers.map((number) => named(wireRoles, number, 'a role'));
}

function named<Name extends string>(table: Readonly<Record<Name, number>>, number: number, what: string): Name {
  const found = (Object.keys(table) as Name[]).find((name) => table[name] === number);
  if (found === undefined) throw new CairnError('invalid_argument', `${number} is no number of ${what}`);
  return found;
}
