// cairn ls: every blob, in order of digest.

import type { Command } from 'commander';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { digestJson, formatDigest } from './format.js';

export function addLsCommand(program: Command): void {
  addSharedOptions(program.command('ls'))
    .description('print "blake3:<hex> <size>" for every blob, in order of digest')
    .action((_flags: object, command: Command) => runCommand(command, ls));
}

async function ls({ client, signal, json, output }: CommandContext): Promise<void> {
  for await (const digest of client.list({ signal })) {
    output.line(json ? JSON.stringify(digestJson(digest)) : formatDigest(digest));
    await output.room();
  }
}
