// cairn diff: in what two trees differ. Ends like diff(1): 0 when they are the same, 1 when they differ, more on trouble.

import type { Command } from 'commander';
import { hashesEqual, parseHash } from '../base/digest.js';
import { treeSource } from '../client/tree-source.js';
import { diffTrees, type TreeChange } from '../tree/diff-trees.js';
import type { TreeItem } from '../tree/tree-item.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import type { Difference } from './entry-worker.js';
import { exitCodes } from './exit-codes.js';
import { formatPath } from './format.js';
import { itemJson } from './ls-tree.js';

export function addDiffCommand(program: Command): void {
  addSharedOptions(program.command('diff'))
    .description('print in what two trees differ: A added, D deleted, M modified; exits with 1 if they do')
    .argument('<before>', 'digest of a tree')
    .argument('<after>', 'digest of another')
    .addHelpText(
      'after',
      `
Lines are "A path", "D path" and "M path". A modified entry whose content is the same, or not alone has changed, says what
has: "M path (mode)", "M path (content, mode)", "M path (type)".
Exit codes as of diff(1): 0 when the trees are the same, 1 when they differ, others when that could not be found out.`,
    )
    .action((before: string, after: string, _flags: object, command: Command) =>
      runCommand(command, (context) => diff(context, before, after)),
    );
}

async function diff(context: CommandContext, before: string, after: string): Promise<void> {
  const { client, signal, json, output } = context;
  const source = treeSource(client, signal);
  for await (const change of diffTrees(source, parseHash(before), parseHash(after))) {
    context.endWith(exitCodes.different);
    output.line(json ? JSON.stringify(changeJson(change)) : formatChange(change));
    await output.room();
  }
}

function formatChange({ before, after }: TreeChange): string {
  if (before === undefined) return `A ${formatPath(after!.path)}`;
  if (after === undefined) return `D ${formatPath(before.path)}`;
  const differences = differencesOf(before, after).join(', ');
  return `M ${formatPath(after.path)}${differences === 'content' ? '' : ` (${differences})`}`;
}

function changeJson({ before, after }: TreeChange): object {
  const change = before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified';
  return {
    change,
    path: (after ?? before)!.path,
    ...(before && after && { differences: differencesOf(before, after) }),
    ...(before && { before: itemJson(before) }),
    ...(after && { after: itemJson(after) }),
  };
}

function differencesOf(before: TreeItem, after: TreeItem): Difference[] {
  if (before.kind === 'file' && after.kind === 'file') {
    const differences: Difference[] = [];
    if (!hashesEqual(before.digest.hash, after.digest.hash)) differences.push('content');
    if (before.executable !== after.executable || before.readonly !== after.readonly) differences.push('mode');
    return differences;
  }
  return [before.kind === after.kind ? 'content' : 'type'];
}
