// cairn user: the accounts of a server. Passwords are asked for, or read from standard input.

import { Argument, type Command, Option } from 'commander';
import { formatTime } from '../base/clock.js';
import type { AccountInfo, RoleName } from '../client/account-client.js';
import { type AccountFlags, addAccountOptions, runAccountCommand } from './account-admin.js';
import { formatPath } from './format.js';
import { readNewPassword, readOwnPassword } from './secret-input.js';

interface AddFlags extends AccountFlags {
  readonly role: RoleName;
  readonly email?: string;
  readonly password: boolean;
}

const roleNames: readonly RoleName[] = ['reader', 'writer', 'admin', 'node'];

export function addUserCommand(program: Command): void {
  const user = program.command('user').description('accounts: add, list, role, remove, passwd');
  addAccountOptions(user.command('add'))
    .description('make an account; the first has to be an admin')
    .argument('<name>', 'lower-case letters, digits and . _ @ -')
    .addOption(new Option('--role <role>', 'what it is for').choices(roleNames).default('reader'))
    .option('--email <address>', 'for people')
    .option('--no-password', 'for tokens and client certificates alone')
    .action((name: string, flags: AddFlags, command: Command) =>
      runAccountCommand(command, async (admin, { output, json }) => {
        const password = flags.password ? await readNewPassword(name) : undefined;
        const { role, email } = flags;
        output.line(line(await admin.addAccount({ name, roles: [role], password, email }), json));
      }),
    );
  addAccountOptions(user.command('list'))
    .description('print "name roles made email" for every account')
    .action((_flags: object, command: Command) =>
      runAccountCommand(command, async (admin, { output, json }) => {
        for await (const account of admin.accounts()) {
          output.line(line(account, json));
          await output.room();
        }
      }),
    );
  addAccountOptions(user.command('role'))
    .description('change what an account is for, at once; its password, logins and tokens stay')
    .argument('<name>')
    .addArgument(new Argument('<role>').choices(roleNames))
    .action((name: string, role: RoleName, _flags: object, command: Command) =>
      runAccountCommand(command, async (admin, { output, json }) => {
        output.line(line(await admin.setRoles(name, [role]), json));
      }),
    );
  addAccountOptions(user.command('remove'))
    .description('remove an account with its logins and tokens')
    .argument('<name>')
    .action((name: string, _flags: object, command: Command) =>
      runAccountCommand(command, (admin) => admin.removeAccount(name)),
    );
  addAccountOptions(user.command('passwd'))
    .description('set a password and end the logins made with the old one; without a name, that of --user')
    .argument('[name]')
    .action((name: string | undefined, _flags: object, command: Command) =>
      runAccountCommand(command, async (admin) => {
        const { user: own } = command.optsWithGlobals<{ user?: string }>();
        const isOwn = name === undefined || name === own;
        const oldPassword = isOwn && own !== undefined ? await readOwnPassword(own) : undefined;
        await admin.setPassword(name, await readNewPassword(name ?? own ?? 'your account'), oldPassword);
      }),
    );
}

function line({ name, roles, email, createdAt }: AccountInfo, json: boolean): string {
  const made = formatTime(createdAt);
  return json
    ? JSON.stringify({ name, roles, email, created_at: made })
    : [name, roles.join(','), made, formatPath(email)].join(' ').trimEnd();
}
