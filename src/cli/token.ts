// cairn token: tokens that last, for programs. What makes a token work is printed once, when it is made.

import { type Command, InvalidArgumentError } from 'commander';
import { formatTime } from '../base/clock.js';
import type { OperationName, TokenInfo } from '../client/account-client.js';
import { type AccountFlags, addAccountOptions, runAccountCommand } from './account-admin.js';
import { formatPath } from './format.js';

interface TokenFlags extends AccountFlags {
  readonly account?: string;
}

interface CreateFlags extends TokenFlags {
  readonly label?: string;
  readonly allow?: readonly OperationName[];
  readonly expires?: number;
}

const operationNames: readonly OperationName[] = ['read', 'write', 'delete', 'admin', 'node'];
const secondsOf = { s: 1, m: 60, h: 3600, d: 24 * 3600 } as const;

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('tokens that last: create, list, revoke; rotate-key');
  const add = (name: string) =>
    addAccountOptions(token.command(name)).option(
      '--account <name>',
      'whose; for admins, and with --data (default: your own)',
    );
  add('create')
    .description('make a token and print it, this once')
    .option('--label <text>', 'for people')
    .option('--allow <operations>', 'only these, with commas: read, write, delete, admin, node', parseOperations)
    .option('--expires <time>', 'after so long: 90d, 12h, 30m, 60s (default: when it is revoked)', parseDuration)
    .action((flags: CreateFlags, command: Command) =>
      runAccountCommand(command, async (admin, { output, json, note }) => {
        const { account, label, allow, expires } = flags;
        const made = await admin.createToken({ account, label, operations: allow, seconds: expires });
        if (json) output.line(JSON.stringify({ ...tokenJson(made), token: made.token }));
        else {
          output.line(made.token);
          note(`token ${made.id}`);
        }
      }),
    );
  add('list')
    .description('print "id operations end label" for every token of an account')
    .action((flags: TokenFlags, command: Command) =>
      runAccountCommand(command, async (admin, { output, json }) => {
        for await (const each of admin.tokens(flags.account))
          output.line(json ? JSON.stringify(tokenJson(each)) : line(each));
      }),
    );
  add('revoke')
    .description('make tokens worthless, at once')
    .argument('<id...>', 'as "token list" prints them')
    .action((ids: string[], flags: TokenFlags, command: Command) =>
      runAccountCommand(command, async (admin, { fail }) => {
        for (const id of ids) await admin.revokeToken(flags.account, id).catch((error: unknown) => fail(error, { id }));
      }),
    );
  addRotateKey(token);
}

function addRotateKey(token: Command): void {
  addAccountOptions(token.command('rotate-key'))
    .description('sign with a new key; ends all logins and tokens, unless there is an overlap')
    .option('--overlap <time>', 'what was signed before stays good for so long: 7d, 12h, 30m, 60s', parseDuration)
    .action(({ overlap = 0 }: { overlap?: number }, command: Command) =>
      runAccountCommand(command, (admin) => admin.rotateKey(overlap)),
    );
}

function tokenJson({ id, label, operations, createdAt, expiresAt }: TokenInfo) {
  const ends = expiresAt !== undefined && { expires_at: formatTime(expiresAt) };
  return { id, label, operations, created_at: formatTime(createdAt), ...ends };
}

function line({ id, label, operations, expiresAt }: TokenInfo): string {
  const end = expiresAt === undefined ? 'never' : formatTime(expiresAt);
  return [id, operations.join(',') || '-', end, formatPath(label)].join(' ').trimEnd();
}

function parseOperations(text: string): OperationName[] {
  return text.split(',').map((name) => {
    const found = operationNames.find((each) => each === name.trim());
    if (found === undefined)
      throw new InvalidArgumentError(`${JSON.stringify(name)} is none of ${operationNames.join(', ')}`);
    return found;
  });
}

function parseDuration(text: string): number {
  const found = /^(\d{1,9})([smhd])$/.exec(text);
  if (found === null || Number(found[1]) === 0)
    throw new InvalidArgumentError('expected a time as 90d, 12h, 30m or 60s');
  return Number(found[1]) * secondsOf[found[2] as keyof typeof secondsOf];
}
