// Makes a token that lasts: never good for more than its account, nor for more than who makes it.

import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { LastingToken } from './account-book.js';
import type { Accounts } from './accounts.js';
import { type Operation, operationsOf, type Principal } from './principal.js';

export interface TokenWish {
  /** The account it is for. */
  readonly name: string;
  readonly label: string;
  /** Empty: all that the account and the maker may do. */
  readonly operations: readonly Operation[];
  /** 0: until it is revoked, or as long as the token lasts that it is made with. */
  readonly seconds: number;
}

/**
 * `permission_denied` for an operation that is not the account's or not the maker's, `invalid_argument` for a time that cannot
 * be; otherwise as the book.
 */
export async function mintToken(
  { book, signed }: Pick<Accounts, 'book' | 'signed'>,
  clock: Pick<Clock, 'now'>,
  maker: Principal,
  { name, label, operations: asked, seconds }: TokenWish,
): Promise<{ readonly text: string; readonly token: LastingToken }> {
  if (seconds < 0 || seconds > limits.lastingTokenSecondsMax) {
    throw new CairnError('invalid_argument', `a token cannot last ${seconds} seconds`);
  }
  const account = await book.get(name);
  if (account === undefined) throw new CairnError('not_found', `there is no account ${JSON.stringify(name)}`);
  const grantable = operationsOf(account.roles).filter((operation) => maker.operations.has(operation));
  const operations = asked.length === 0 ? grantable : asked;
  for (const operation of operations) {
    if (grantable.includes(operation)) continue;
    throw new CairnError('permission_denied', `this token of ${name} cannot be good for ${operation}`);
  }
  const wanted = seconds === 0 ? Number.POSITIVE_INFINITY : Math.floor(clock.now() / 1000) + seconds;
  const last = Math.min(wanted, await endOf(book, maker));
  const expiresAt = last === Number.POSITIVE_INFINITY ? undefined : last;
  const token = await book.createToken(name, { label, operations, expiresAt: expiresAt && expiresAt * 1000 });
  return { text: await signed.sign({ kind: 'token', name, id: token.id, turn: 0, expiresAt }), token };
}

/** Of the token that somebody was let in by, in whole seconds of Unix time: what it makes does not outlive it. */
async function endOf(book: Accounts['book'], { name, session }: Principal): Promise<number> {
  const made = session?.kind === 'token' ? await book.token(name, session.id) : undefined;
  return made?.expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.floor(made.expiresAt / 1000);
}
