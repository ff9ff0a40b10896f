// cairn rm: deletes blobs.

import type { Command } from 'commander';
import { formatHash, parseHash } from '../base/digest.js';
import { absent } from './absent.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';

interface RmFlags {
  readonly force?: boolean;
}

export function addRmCommand(program: Command): void {
  addSharedOptions(program.command('rm'))
    .description('delete blobs; prints the digest of each that was there')
    .argument('<digest...>', 'blake3:<hex> or <hex>')
    .option('-f, --force', 'absent blobs are no error')
    .action((texts: string[], flags: RmFlags, command: Command) =>
      runCommand(command, (context) => rm(context, texts, flags)),
    );
}

async function rm(
  { client, signal, json, output, fail }: CommandContext,
  texts: readonly string[],
  { force = false }: RmFlags,
): Promise<void> {
  const hashes = texts.map(parseHash);
  const deleted = await client.delete(hashes, { signal });
  for (const [i, hash] of hashes.entries()) {
    const digest = formatHash(hash);
    if (deleted[i]) output.line(json ? JSON.stringify({ digest }) : digest);
    else if (!force) fail(...absent(hash));
  }
}
