// cairn verify: is a directory what a tree says? Everything is read and hashed again, and nothing is changed.

import type { Command } from 'commander';
import { formatHash, parseHash } from '../base/digest.js';
import type { CairnError } from '../base/errors.js';
import { treeSource } from '../client/tree-source.js';
import { TreeReader } from '../tree/tree-reader.js';
import { foldsCase } from './case-folding.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { compare } from './compare-tree.js';
import type { Difference, Examined } from './entry-worker.js';
import { EntryWorkers } from './entry-workers.js';
import { exitCodes } from './exit-codes.js';
import { unreadable } from './file-chunks.js';
import { count, formatPath } from './format.js';
import { type EntryKind, SafeDirectory } from './safe-directory.js';
import { type Place, walkBeside } from './tree-walk.js';

export function addVerifyCommand(program: Command): void {
  addSharedOptions(program.command('verify'))
    .description('hash a directory again and print in what it differs from a tree; exits with 1 if it does')
    .argument('<tree>', 'digest of the tree: blake3:<hex> or <hex>')
    .argument('<directory>', 'is only read')
    .addHelpText(
      'after',
      `
Lines are "missing path", "extra path", "type path", "content path", "mode path" and "content,mode path". Of a mode only
what trees keep is compared: whether the owner may execute and may write. An extra directory is one line, ending in a slash.`,
    )
    .action((tree: string, directory: string, _flags: object, command: Command) =>
      runCommand(command, (context) => new Verification(context).run(tree, directory)),
    );
}

class Verification {
  readonly #workers = new EntryWorkers();
  /** Directories that could not be read: nothing is known of what lies below. */
  readonly #unread: string[] = [];
  #differences = 0;

  constructor(private readonly context: CommandContext) {}

  async run(text: string, directory: string): Promise<void> {
    const { client, signal, clock } = this.context;
    const startedAt = clock.monotonic();
    try {
      const tree = parseHash(text);
      const reader = await TreeReader.open(treeSource(client, signal), tree);
      await this.#compare(reader, openRoot(directory));
      const seconds = (clock.monotonic() - startedAt) / 1000;
      this.context.note(
        `${count(reader.itemCount, 'entry', 'entries')}: ${count(this.#differences, 'difference', 'differences')}, ` +
          `in ${seconds.toFixed(1)} s`,
        { tree: formatHash(tree), entries: reader.itemCount, differences: this.#differences, seconds },
      );
    } finally {
      await this.#workers.close();
      SafeDirectory.closeAll();
    }
  }

  async #compare(reader: TreeReader, root: SafeDirectory): Promise<void> {
    const { signal, output } = this.context;
    const steps = walkBeside(reader.items(), {
      root,
      foldsCase: foldsCase(root) ?? false,
      enter: (parent, name, path, existing) => this.#enter(parent, name, path, existing),
      respell: () => {},
      fail: (path, error) => this.#fail(path, error),
    });
    for await (const bundle of compare(steps, this.#workers, signal)) {
      for (const step of bundle) {
        if (step === 'pause') continue;
        if ('place' in step) this.#report(step.place, step.found);
        else {
          const { directory, path, kind } = step.extra;
          this.#print(kind === 'directory' ? `${path}/` : path, ['extra']);
          directory.release();
        }
      }
      await output.room();
    }
  }

  #enter(
    parent: SafeDirectory,
    name: string,
    path: string,
    existing: EntryKind | undefined,
  ): SafeDirectory | undefined {
    if (existing === undefined) return undefined;
    if (existing !== 'directory') {
      this.#print(path, ['type']);
      return undefined;
    }
    try {
      return parent.openChild(name);
    } catch (error) {
      this.#fail(path, unreadable(formatPath(path), error));
      return undefined;
    }
  }

  #report({ item, directory }: Place, found: Examined): void {
    directory?.release();
    if (directory === undefined && this.#unread.some((prefix) => item.path.startsWith(prefix))) return;
    if ('failure' in found) this.#fail(item.path, unreadable(formatPath(item.path), found.failure));
    // That a directory is something else was said when it was to be entered.
    else if (found.length > 0 && !(item.kind === 'directory' && found[0] === 'type')) this.#print(item.path, found);
  }

  #print(path: string, differences: readonly (Difference | 'extra')[]): void {
    const { json, output } = this.context;
    this.#differences++;
    this.context.endWith(exitCodes.different);
    output.line(json ? JSON.stringify({ path, differences }) : `${differences.join(',')} ${formatPath(path)}`);
  }

  #fail(path: string, error: CairnError): void {
    this.#unread.push(`${path}/`);
    this.context.fail(error, { path });
  }
}

function openRoot(path: string): SafeDirectory {
  try {
    return SafeDirectory.open(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}
