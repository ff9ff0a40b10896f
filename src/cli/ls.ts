// cairn ls: every blob, in order of digest; or the entries of a tree, in order of path.

import type { Command } from 'commander';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { digestJson, formatDigest } from './format.js';
import { lsTree } from './ls-tree.js';

export function addLsCommand(program: Command): void {
  addSharedOptions(program.command('ls'))
    .description('print "blake3:<hex> <size>" for every blob, in order of digest; with a tree, what is in it')
    .argument('[tree]', 'digest of a tree; prints "mode size digest path" for each entry, in order of path')
    .argument('[path]', 'only the entry at this path of the tree, or those below it')
    .action((tree: string | undefined, path: string | undefined, _flags: object, command: Command) =>
      runCommand(command, (context) => (tree === undefined ? ls(context) : lsTree(context, tree, path))),
    );
}

async function ls({ client, signal, json, output }: CommandContext): Promise<void> {
  for await (const digest of client.list({ signal })) {
    output.line(json ? JSON.stringify(digestJson(digest)) : formatDigest(digest));
    await output.room();
  }
}
