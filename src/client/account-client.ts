// Accounts, logins and tokens of a server. Fails like every call: `unauthenticated` without good credentials,
// `permission_denied` where they are not enough.

import type { Client } from '@connectrpc/connect';
import {
  type AccountService,
  type Token,
  type User,
  Operation as WireOperation,
  Role as WireRole,
} from '../gen/cairn/v1/account_service_pb.js';
import { toCairnError } from './error-codes.js';

/** As the server names them: `reader`, `writer`, `admin`, `node`. */
export type RoleName = Lowercase<Exclude<keyof typeof WireRole, 'UNSPECIFIED'>>;
/** `read`, `write`, `delete`, `admin`, `node`. */
export type OperationName = Lowercase<Exclude<keyof typeof WireOperation, 'UNSPECIFIED'>>;

export interface AccountInfo {
  readonly name: string;
  readonly roles: readonly string[];
  readonly email: string;
  /** Milliseconds of Unix time. */
  readonly createdAt: number;
}

export interface TokenInfo {
  /** What it is revoked by. */
  readonly id: string;
  readonly label: string;
  readonly operations: readonly string[];
  readonly createdAt: number;
  /** Undefined: it lasts until it is revoked. */
  readonly expiresAt: number | undefined;
}

export interface NewAccount {
  readonly name: string;
  readonly roles: readonly RoleName[];
  /** Without one, the account is for tokens and client certificates. */
  readonly password?: string | undefined;
  readonly email?: string | undefined;
}

export interface NewToken {
  /** The account it is for; by default the caller's own. */
  readonly account?: string | undefined;
  readonly label?: string | undefined;
  /** What it is good for; by default all that the account and the caller may do. */
  readonly operations?: readonly OperationName[] | undefined;
  /** Seconds it lasts; by default until it is revoked. */
  readonly seconds?: number | undefined;
}

/** The same for a running server and for a data directory that no server has open. */
export interface AccountAdmin {
  addAccount(account: NewAccount): Promise<AccountInfo>;
  accounts(): AsyncIterable<AccountInfo>;
  setRoles(name: string, roles: readonly RoleName[]): Promise<AccountInfo>;
  removeAccount(name: string): Promise<void>;
  createToken(token: NewToken): Promise<TokenInfo & { readonly token: string }>;
  tokens(account: string | undefined): AsyncIterable<TokenInfo>;
  revokeToken(account: string | undefined, id: string): Promise<void>;
  /** What was signed before is good for so many seconds more; with 0 all logins and tokens end. */
  rotateKey(overlapSeconds: number): Promise<void>;
  setPassword(name: string | undefined, password: string, oldPassword?: string): Promise<void>;
}

export class AccountClient implements AccountAdmin {
  readonly #service: () => Promise<Client<typeof AccountService>>;

  constructor(service: () => Promise<Client<typeof AccountService>>) {
    this.#service = service;
  }

  async addAccount({ name, roles, password, email = '' }: NewAccount): Promise<AccountInfo> {
    const request = {
      username: name,
      roles: roles.map(toWireRole),
      email,
      ...(password !== undefined && { password }),
    };
    return fromUser((await this.#call((service) => service.createUser(request))).user);
  }

  /** By name. */
  async *accounts(): AsyncGenerator<AccountInfo> {
    for (let pageToken = ''; ; ) {
      const page = await this.#call((service) => service.listUsers({ pageSize: pageCount, pageToken }));
      yield* page.users.map(fromUser);
      if (page.nextPageToken === '') return;
      pageToken = page.nextPageToken;
    }
  }

  async setRoles(name: string, roles: readonly RoleName[]): Promise<AccountInfo> {
    const request = { username: name, roles: roles.map(toWireRole) };
    return fromUser((await this.#call((service) => service.setRoles(request))).user);
  }

  async removeAccount(name: string): Promise<void> {
    await this.#call((service) => service.deleteUser({ username: name }));
  }

  /** One's own without a name, then with the old password; admins set everybody's. */
  async setPassword(name: string | undefined, password: string, oldPassword = ''): Promise<void> {
    await this.#call((service) => service.setPassword({ username: name ?? '', password, oldPassword }));
  }

  async createToken({ account = '', label = '', operations = [], seconds = 0 }: NewToken) {
    const request = {
      username: account,
      label,
      operations: operations.map(toWireOperation),
      expiresIn: BigInt(seconds),
    };
    const { accessToken, token } = await this.#call((service) => service.createToken(request));
    return { ...fromToken(token), token: accessToken };
  }

  async *tokens(account: string | undefined): AsyncGenerator<TokenInfo> {
    for (let pageToken = ''; ; ) {
      const request = { username: account ?? '', pageSize: pageCount, pageToken };
      const page = await this.#call((service) => service.listTokens(request));
      yield* page.tokens.map(fromToken);
      if (page.nextPageToken === '') return;
      pageToken = page.nextPageToken;
    }
  }

  async revokeToken(account: string | undefined, id: string): Promise<void> {
    await this.#call((service) => service.revokeToken({ username: account ?? '', id }));
  }

  async rotateKey(overlapSeconds: number): Promise<void> {
    await this.#call((service) => service.rotateSigningKey({ overlapSeconds: BigInt(overlapSeconds) }));
  }

  async #call<T>(call: (service: Client<typeof AccountService>) => Promise<T>): Promise<T> {
    try {
      return await call(await this.#service());
    } catch (error) {
      throw toCairnError(error);
    }
  }
}

const pageCount = 100;

function toWireRole(name: RoleName): WireRole {
  return WireRole[name.toUpperCase() as Uppercase<RoleName>];
}

function toWireOperation(name: OperationName): WireOperation {
  return WireOperation[name.toUpperCase() as Uppercase<OperationName>];
}

function fromUser(user: User | undefined): AccountInfo {
  return {
    name: user?.username ?? '',
    roles: (user?.roles ?? []).map((role) => String(WireRole[role]).toLowerCase()),
    email: user?.email ?? '',
    createdAt: Number(user?.createdAtMs ?? 0n),
  };
}

function fromToken(token: Token | undefined): TokenInfo {
  return {
    id: token?.id ?? '',
    label: token?.label ?? '',
    operations: (token?.operations ?? []).map((operation) => String(WireOperation[operation]).toLowerCase()),
    createdAt: Number(token?.createdAtMs ?? 0n),
    expiresAt: token?.expiresAtMs === undefined ? undefined : Number(token.expiresAtMs),
  };
}
