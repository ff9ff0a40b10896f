// The commands a person types. Each has a file of its own; here they are put together.

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { addCatCommand } from './cat.js';
import { addCheckoutCommand } from './checkout.js';
import { addSharedOptions } from './command-context.js';
import { addDiffCommand } from './diff.js';
import { exitCodes, exitCodesHelp } from './exit-codes.js';
import { addGetCommand } from './get.js';
import { addLsCommand } from './ls.js';
import { addMissingCommand } from './missing.js';
import { addPathCommand } from './path.js';
import { addPutCommand } from './put.js';
import { addRebuildCommand } from './rebuild.js';
import { addRmCommand } from './rm.js';
import { addServeCommand } from './serve.js';
import { addStatCommand } from './stat.js';
import { addSyncCommand } from './sync.js';
import { addVerifyCommand } from './verify.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

function createProgram(): Command {
  // Before any command is added: they inherit what is set here.
  const program = addSharedOptions(new Command('cairn'))
    .description('A content-addressable blob store: blobs by their BLAKE3 digest.')
    .version(version, '--version')
    .exitOverride()
    .showHelpAfterError('(see cairn --help)')
    .addHelpText('after', exitCodesHelp);
  addServeCommand(program);
  addPutCommand(program);
  addGetCommand(program);
  addStatCommand(program);
  addMissingCommand(program);
  addLsCommand(program);
  addCheckoutCommand(program);
  addCatCommand(program);
  addDiffCommand(program);
  addVerifyCommand(program);
  addRmCommand(program);
  addPathCommand(program);
  addSyncCommand(program);
  addRebuildCommand(program);
  return program;
}

/** Runs one command line; resolves only when it ended without ending the process itself. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

await main(process.argv.slice(2));
