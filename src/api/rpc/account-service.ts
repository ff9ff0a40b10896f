// cairn.v1.AccountService. The gate has let the caller in; what is here beyond it is about whose account a call concerns.

import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import {
  AccountService,
  type CreateTokenRequest,
  type CreateUserRequest,
  type ListTokensRequest,
  type ListUsersRequest,
  type SetPasswordRequest,
} from '../../gen/cairn/v1/account_service_pb.js';
import type { Accounts } from '../auth/accounts.js';
import { mintToken } from '../auth/mint-token.js';
import { refuseWeak } from '../auth/password-check.js';
import { authorize, type Principal } from '../auth/principal.js';
import type { SignIn } from '../auth/sign-in.js';
import {
  fromWireOperations,
  fromWireRoles,
  toTokenMessage,
  toUserMessage,
  toWireOperations,
} from './account-messages.js';
import { callerKey, principalKey } from './call-state.js';
import { shortPageCount } from './page-count.js';
import { decodePageToken, encodePageToken } from './page-token.js';

export interface AccountServiceParts {
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly clock: Pick<Clock, 'now'>;
}

export function accountService(parts: AccountServiceParts): ServiceImpl<typeof AccountService> {
  const { accounts, signIn } = parts;
  const { book } = accounts;
  return {
    async login({ username, password }, context) {
      return signedIn(await signIn.login(username, password, context.values.get(callerKey).address));
    },
    async register({ username: name, password, email }, context) {
      const { address } = context.values.get(callerKey);
      return signedIn(await signIn.register({ name, password, email, address }));
    },
    async refreshToken({ refreshToken }) {
      const { expiresIn, ...tokens } = await signIn.refresh(refreshToken);
      return { ...tokens, expiresIn: BigInt(expiresIn) };
    },
    async logout({ refreshToken }, context) {
      if (refreshToken !== '') await signIn.logout(refreshToken);
      else await signIn.logoutOf(await accounts.gate.admit(context.values.get(callerKey), 'account'));
      return {};
    },
    async getUser(_, context) {
      const { name, operations } = callerOf(context);
      const account = await book.get(name);
      return { ...(account && { user: toUserMessage(account) }), operations: toWireOperations(operations) };
    },
    async createUser(request) {
      return { user: toUserMessage(await createUser(parts, request)) };
    },
    listUsers: (request) => listUsers(parts, request),
    async setRoles({ username, roles }) {
      return { user: toUserMessage(await book.setRoles(username, fromWireRoles(roles))) };
    },
    async deleteUser({ username }) {
      await book.remove(username);
      return {};
    },
    async setPassword(request, context) {
      await setPassword(parts, request, context);
      return {};
    },
    createToken: (request, context) => createToken(parts, request, callerOf(context)),
    listTokens: (request, context) => listTokens(parts, request, callerOf(context)),
    async revokeToken({ username, id }, context) {
      await book.revokeToken(ownerOf(callerOf(context), username), id);
      return {};
    },
    async rotateSigningKey({ overlapSeconds }) {
      await accounts.rotateKey(Number(overlapSeconds));
      return {};
    },
  };
}

function callerOf({ values }: Pick<HandlerContext, 'values'>): Principal {
  return values.get(principalKey);
}

/** The account that a call is about: one's own when none is named. `permission_denied` for others', unless by an admin. */
function ownerOf(caller: Principal, username: string): string {
  const name = username === '' ? caller.name : username;
  if (name === '') throw new CairnError('invalid_argument', 'the call is made by nobody, and names no account');
  if (name !== caller.name) authorize(caller, 'admin');
  return name;
}

function signedIn({ account, accessToken, refreshToken, expiresIn }: Awaited<ReturnType<SignIn['login']>>) {
  return { user: toUserMessage(account), accessToken, refreshToken, expiresIn: BigInt(expiresIn) };
}

async function createUser({ accounts }: AccountServiceParts, { username, password, roles, email }: CreateUserRequest) {
  if (password !== undefined) refuseWeak(password);
  const passwordHash = password === undefined ? undefined : await accounts.hasher.hash(password);
  return accounts.book.add({ name: username, roles: fromWireRoles(roles), passwordHash, email });
}

async function listUsers({ accounts: { book } }: AccountServiceParts, { pageSize, pageToken }: ListUsersRequest) {
  const list = `${AccountService.typeName}/ListUsers`;
  const after = pageToken === '' ? undefined : Buffer.from(decodePageToken(list, pageToken)).toString();
  const limit = shortPageCount(pageSize);
  // One more than the page shows whether there is another.
  const [found, totalCount] = await Promise.all([book.list({ after, limit: limit + 1 }), book.count()]);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    users: page.map(toUserMessage),
    nextPageToken: last !== undefined && found.length > limit ? encodePageToken(list, Buffer.from(last.name)) : '',
    totalCount: BigInt(totalCount),
  };
}

async function setPassword(
  { accounts }: AccountServiceParts,
  { username, password, oldPassword }: SetPasswordRequest,
  { values }: HandlerContext,
): Promise<void> {
  const caller = values.get(principalKey);
  const name = ownerOf(caller, username);
  refuseWeak(password);
  // A stolen token must not be enough to keep the account.
  if (!caller.operations.has('admin')) await accounts.checkPassword(name, oldPassword, values.get(callerKey).address);
  await accounts.book.setPassword(name, await accounts.hasher.hash(password));
}

async function createToken({ accounts, clock }: AccountServiceParts, request: CreateTokenRequest, caller: Principal) {
  const { text, token } = await mintToken(accounts, clock, caller, {
    name: ownerOf(caller, request.username),
    label: request.label,
    operations: fromWireOperations(request.operations),
    seconds: Number(request.expiresIn),
  });
  return { accessToken: text, token: toTokenMessage(token) };
}

async function listTokens({ accounts: { book } }: AccountServiceParts, request: ListTokensRequest, caller: Principal) {
  const name = ownerOf(caller, request.username);
  const list = `${AccountService.typeName}/ListTokens/${name}`;
  const after = request.pageToken === '' ? '' : Buffer.from(decodePageToken(list, request.pageToken)).toString();
  const limit = shortPageCount(request.pageSize);
  const all = await book.tokens(name);
  const rest = all.filter(({ id }) => id > after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    tokens: page.map(toTokenMessage),
    nextPageToken: last !== undefined && rest.length > limit ? encodePageToken(list, Buffer.from(last.id)) : '',
    totalCount: BigInt(all.length),
  };
}
