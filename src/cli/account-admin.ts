// Commands about accounts act on a running server, or on a data directory that no server has open.

import type { Command } from 'commander';
import type { AccountAdmin } from '../client/account-client.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';

export interface AccountFlags {
  readonly data?: string;
}

/** Adds the options that all of these commands take. */
export function addAccountOptions(command: Command): Command {
  return addSharedOptions(command).option('--data <directory>', 'act on this directory while no server has it open');
}

export function runAccountCommand(
  command: Command,
  work: (admin: AccountAdmin, context: CommandContext) => Promise<void>,
): Promise<never> {
  const { data } = command.optsWithGlobals<AccountFlags>();
  return runCommand(command, async (context) => {
    if (data === undefined) {
      await work(await context.client.accounts(), context);
      return;
    }
    // Loaded here: it brings the server along.
    const { withOfflineAccounts } = await import('../server/offline-accounts.js');
    await withOfflineAccounts({ data, make: command.name() === 'add' }, (admin) => work(admin, context));
  });
}
