// Accounts, logins and tokens as they lie in the metadata: their keys, and their values in JSON. No secret is among them but
// the signing key: passwords are hashes, and what was handed out is signed, not stored. See docs/FORMATS.md.
//   auth/key                    the signing key, and earlier ones that are still good
//   auth/account/NAME           an account
//   auth/login/NAME/ID          a login: the family of tokens that one giving of a password began
//   auth/token/NAME/ID          a token that was made to last

import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { CairnError } from '../../base/errors.js';
import { textKey } from '../../meta/keys.js';
import { type Operation, operations, type Role, roles } from './principal.js';

const recordVersion = Type.Literal(1);
const milliseconds = Type.Integer({ minimum: 0 });

export const accountRecord = Type.Object({
  version: recordVersion,
  roles: Type.Array(Type.Unsafe<Role>(Type.Union(roles.map((role) => Type.Literal(role))))),
  /** Absent for who comes by a certificate or by tokens alone. */
  passwordHash: Type.Optional(Type.String()),
  email: Type.String(),
  createdAt: milliseconds,
});

export const loginRecord = Type.Object({
  version: recordVersion,
  /** Which refresh token is the good one, counted from 0. */
  turn: Type.Integer({ minimum: 0 }),
  createdAt: milliseconds,
  expiresAt: milliseconds,
});

export const tokenRecord = Type.Object({
  version: recordVersion,
  label: Type.String(),
  operations: Type.Array(Type.Unsafe<Operation>(Type.Union(operations.map((operation) => Type.Literal(operation))))),
  createdAt: milliseconds,
  /** Absent: it lasts until it is revoked. */
  expiresAt: Type.Optional(milliseconds),
});

export const keyRecord = Type.Object({
  version: recordVersion,
  key: Type.String(),
  /** Those that were in use before and are good until then. */
  earlier: Type.Optional(Type.Array(Type.Object({ key: Type.String(), until: milliseconds }))),
});

/** Times are in milliseconds of Unix time. */
export type AccountRecord = Static<typeof accountRecord>;
export type LoginRecord = Static<typeof loginRecord>;
export type TokenRecord = Static<typeof tokenRecord>;

type Schema = typeof accountRecord | typeof loginRecord | typeof tokenRecord | typeof keyRecord;

export const signingKeyKey = textKey('auth/key');
export const accountPrefix = textKey('auth/account/');

export function accountKey(name: string): Uint8Array {
  return textKey(`auth/account/${name}`);
}

/** Of one account's logins, or of the one with this id. */
export function loginKey(name: string, id = ''): Uint8Array {
  return textKey(`auth/login/${name}/${id}`);
}

export function tokenKey(name: string, id = ''): Uint8Array {
  return textKey(`auth/token/${name}/${id}`);
}

/** What follows a prefix that the key is known to have. */
export function keyRest(key: Uint8Array, prefix: Uint8Array): string {
  return Buffer.from(key.subarray(prefix.length)).toString();
}

/** The account that a key under `accountsPrefix` of the metadata belongs to; undefined for that of the signing keys. */
export function accountOfKey(key: Uint8Array): string | undefined {
  return /^auth\/(?:account|login|token)\/([^/]+)/.exec(Buffer.from(key).toString())?.[1];
}

export function encodeRecord<S extends Schema>(_schema: S, record: Static<S>): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** `corrupt` for bytes that `encodeRecord` did not make. */
export function decodeRecord<S extends Schema>(schema: S, bytes: Uint8Array): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // Told below, without the parser's words: they may quote a secret.
  }
  if (Value.Check(schema, value)) return value;
  throw new CairnError('corrupt', 'a record of the accounts cannot be read');
}

const namePattern = /^[a-z0-9][a-z0-9._@-]{0,63}$/;

/** Whether an account may be called so: lower case, so that no two look alike, and nothing that Basic or a key would split. */
export function isAccountName(name: string): boolean {
  return namePattern.test(name);
}
