// cairn cat: a file of a tree to standard output. Symbolic links are followed inside the tree, which they cannot leave.

import type { Command } from 'commander';
import { parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { treeSource } from '../client/tree-source.js';
import type { FileItem } from '../tree/tree-item.js';
import { TreeReader } from '../tree/tree-reader.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { formatPath } from './format.js';
import { notInTree } from './ls-tree.js';

export function addCatCommand(program: Command): void {
  addSharedOptions(program.command('cat'))
    .description('write a file of a tree to standard output; follows symbolic links inside the tree')
    .argument('<tree>', 'digest of the tree: blake3:<hex> or <hex>')
    .argument('<path>', 'of the file')
    .action((tree: string, path: string, _flags: object, command: Command) =>
      runCommand(command, (context) => cat(context, tree, path)),
    );
}

async function cat({ client, signal, output }: CommandContext, text: string, path: string): Promise<void> {
  const reader = await TreeReader.open(treeSource(client, signal), parseHash(text));
  const { digest } = await findFile(reader, path);
  for await (const piece of client.get(digest, { signal })) await output.bytes(piece);
}

/** The file at a path, `..` and symbolic links on the way resolved as an operating system would, with the tree as root. */
async function findFile(reader: TreeReader, path: string): Promise<FileItem> {
  const left = path.split('/').reverse();
  const resolved: string[] = [];
  let links = 0;
  while (left.length > 0) {
    const name = left.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (resolved.pop() === undefined)
        throw new CairnError('invalid_argument', `${formatPath(path)} leads out of the tree`);
      continue;
    }
    resolved.push(name);
    const item = await reader.find(resolved.join('/'));
    if (item === undefined) continue;
    if (item.kind === 'symlink') {
      if (++links > limits.followedLinksCountMax) {
        throw new CairnError('failed_precondition', `${formatPath(path)} leads through too many symbolic links`);
      }
      resolved.pop();
      left.push(...item.target.split('/').reverse());
    } else if (left.some((rest) => rest !== '' && rest !== '.')) {
      throw notInTree(path);
    } else if (item.kind === 'file') {
      return item;
    }
  }
  const at = resolved.join('/');
  for await (const _ of reader.items({ path: at })) {
    throw new CairnError('failed_precondition', `${formatPath(path)} is a directory`);
  }
  throw at === '' ? new CairnError('failed_precondition', `${formatPath(path)} is a directory`) : notInTree(path);
}
