// cairn checkout: a tree into a directory. The whole tree is read and checked before anything is written. Then every entry
// that differs is replaced: files are compared by size and BLAKE3 hash, never by time alone, and what is the same is not
// touched. Every file appears under its name complete and verified, so a checkout may be interrupted at any moment and
// repeated: the next one finishes the job and removes what was left under temporary names.
// Nothing outside the directory is written or removed: see safe-directory.ts and place-entry.ts. One checkout at a time
// may work on a directory.

import type { Command } from 'commander';
import { formatHash, hashHex, parseHash } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { treeSource } from '../client/tree-source.js';
import { type NodeSource, TreeReader } from '../tree/tree-reader.js';
import { type CheckoutSum, checkoutInto } from './checkout-directory.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { count, formatBytes } from './format.js';

interface CheckoutFlags {
  readonly delete?: boolean;
}

export function addCheckoutCommand(program: Command): void {
  addSharedOptions(program.command('checkout'))
    .description('make a directory what a tree says; writes only what differs, and may be interrupted and repeated')
    .argument('<tree>', 'digest of the tree: blake3:<hex> or <hex>')
    .argument('<directory>', 'made when it is not there')
    .option('--delete', 'also remove what the tree does not have')
    .addHelpText(
      'after',
      `
Existing files are compared by size and hash; what is the same is not touched. Something of another kind that stands
where the tree has an entry, such as a directory in the place of a file, is replaced with all it holds. Anything else
that the tree does not have stays, unless --delete is given. Nothing outside the directory is ever written or removed;
symbolic links inside it are not followed.`,
    )
    .action((tree: string, directory: string, flags: CheckoutFlags, command: Command) =>
      runCommand(command, (context) => checkout(context, tree, directory, flags)),
    );
}

async function checkout(
  context: CommandContext,
  text: string,
  directory: string,
  { delete: removes = false }: CheckoutFlags,
): Promise<void> {
  const { client, signal, clock } = context;
  const startedAt = clock.monotonic();
  const tree = parseHash(text);
  const reader = await TreeReader.open(remembering(treeSource(client, signal)), tree);
  // A tree that breaks a rule anywhere is refused before anything is written.
  for await (const _ of reader.items());
  const sum = await checkoutInto(context, reader, directory, removes);
  const seconds = (clock.monotonic() - startedAt) / 1000;
  if (context.json) context.output.line(JSON.stringify({ tree: formatHash(tree), directory, ...sum, seconds }));
  else context.note(summary(sum, seconds));
}

/** Nodes that were read once are not asked for again, as far as they fit. */
function remembering(source: NodeSource): NodeSource {
  const nodes = new Map<string, Uint8Array>();
  let bytes = 0;
  return async (hash) => {
    const name = hashHex(hash);
    const node = nodes.get(name) ?? (await source(hash));
    if (node !== undefined && !nodes.has(name) && bytes + node.length <= limits.rememberedNodesBytesMax) {
      nodes.set(name, node);
      bytes += node.length;
    }
    return node;
  };
}

function summary(sum: CheckoutSum, seconds: number): string {
  const parts = [
    `${sum.written} written (${formatBytes(sum.bytesWritten)})`,
    `${sum.unchanged} unchanged`,
    ...(sum.modesChanged > 0 ? [`${sum.modesChanged} given their mode`] : []),
    ...(sum.removed > 0 ? [`${sum.removed} removed`] : []),
    ...(sum.failed > 0 ? [`${sum.failed} failed`] : []),
  ];
  const extra = sum.extra > 0 ? `; ${count(sum.extra, 'entry', 'entries')} not in the tree stayed` : '';
  return `checked out ${count(sum.entries, 'entry', 'entries')}: ${parts.join(', ')}, in ${seconds.toFixed(1)} s${extra}`;
}
