// The commands a person types. Each has a file of its own; here they are put together.

import { Command, CommanderError } from 'commander';
import { version } from '../server/version.js';
import { addSharedOptions } from './command-context.js';
import { exitCodes, exitCodesHelp } from './exit-codes.js';

/** In the order of the help. Only the one that is asked for is loaded: loading all takes longer than most run. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.js')).addServeCommand,
  put: async () => (await import('./put.js')).addPutCommand,
  get: async () => (await import('./get.js')).addGetCommand,
  stat: async () => (await import('./stat.js')).addStatCommand,
  missing: async () => (await import('./missing.js')).addMissingCommand,
  ls: async () => (await import('./ls.js')).addLsCommand,
  checkout: async () => (await import('./checkout.js')).addCheckoutCommand,
  cat: async () => (await import('./cat.js')).addCatCommand,
  diff: async () => (await import('./diff.js')).addDiffCommand,
  verify: async () => (await import('./verify.js')).addVerifyCommand,
  rm: async () => (await import('./rm.js')).addRmCommand,
  path: async () => (await import('./path.js')).addPathCommand,
  sync: async () => (await import('./sync.js')).addSyncCommand,
  file: async () => (await import('./file.js')).addFileCommand,
  user: async () => (await import('./user.js')).addUserCommand,
  token: async () => (await import('./token.js')).addTokenCommand,
  meta: async () => (await import('./meta.js')).addMetaCommand,
  cluster: async () => (await import('./cluster.js')).addClusterCommand,
  rebuild: async () => (await import('./rebuild.js')).addRebuildCommand,
};

async function createProgram(name: string | undefined): Promise<Command> {
  // Before any command is added: they inherit what is set here.
  const program = addSharedOptions(new Command('cairn'))
    .description('A content-addressable blob store: blobs by their BLAKE3 digest.')
    .version(version, '--version')
    .exitOverride()
    .showHelpAfterError('(see cairn --help)')
    .addHelpText('after', exitCodesHelp);
  const wanted = name !== undefined && Object.hasOwn(commands, name) ? [commands[name]!] : Object.values(commands);
  for (const load of wanted) (await load())(program);
  return program;
}

/** Runs one command line; resolves only when it ended without ending the process itself. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await (await createProgram(argv[0])).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

await main(process.argv.slice(2));
