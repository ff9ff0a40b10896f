// cairn sync: a directory to the server as a tree; prints the tree's digest. What cannot stand in a tree (a socket, a name that
// is not UTF-8, a link that leads out, a file that cannot be read) is reported and left out, and the exit code is then 1.

import { realpathSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { type BlobHash, formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { unreadable } from './file-chunks.js';
import { memoryPath } from './file-memory.js';
import { formatBytes } from './format.js';
import type { Progress } from './progress.js';
import { type ExcludeFlags, excludes } from './sync-excludes.js';
import { SyncReader } from './sync-reader.js';
import { type SyncParts, type SyncResult, syncDirectory } from './sync-run.js';

interface SyncFlags extends ExcludeFlags {
  readonly watch?: boolean;
  readonly cache: boolean;
}

export function addSyncCommand(program: Command): void {
  const gather = (value: string, before: readonly string[] = []) => [...before, value];
  addSharedOptions(program.command('sync'))
    .description('store a directory as a tree, sending only what is missing; prints the tree\'s digest "blake3:<hex>"')
    .argument('<directory>')
    .option('--exclude <pattern>', 'leave out what matches, as a line of .gitignore would; repeatable', gather)
    .option('--exclude-from <file>', 'read such patterns from a file; repeatable', gather)
    .option('--watch', 'go on, and store the directory again whenever something in it changes')
    .option('--no-cache', 'read every file, also those that have not changed since the last time')
    .action((directory: string, flags: SyncFlags, command: Command) =>
      runCommand(command, (context) => sync(context, directory, flags)),
    );
}

async function sync(context: CommandContext, name: string, flags: SyncFlags): Promise<void> {
  const directory = realDirectory(name);
  const reader = new SyncReader();
  const parts = {
    client: context.client,
    clock: context.clock,
    signal: context.signal,
    reader,
    directory,
    memory: flags.cache ? memoryPath(directory) : undefined,
    isExcluded: excludes(flags),
    onProblem: (path: string, error: CairnError) => context.fail(error, { name: path }),
    onWarning: (path: string, message: string) => context.note(`warning: ${message}`, { name: path }),
  };
  let last: BlobHash | undefined;
  const run = async (onDirectory?: (path: string) => void) => {
    last = await syncOnce(context, { ...parts, onDirectory }, last);
    // Whoever waits for the digest gets it although the command goes on.
    await context.output.flush();
  };
  try {
    if (flags.watch) {
      const { keepInSync } = await import('./sync-watch.js');
      await keepInSync({ ...parts, note: context.note, run });
    } else await run();
  } finally {
    await reader.close();
  }
}

/** Runs once, and tells the outcome unless the tree is the one that was told last. */
async function syncOnce(
  context: CommandContext,
  parts: Omit<SyncParts, keyof Progress>,
  last: BlobHash | undefined,
): Promise<BlobHash> {
  const startedAt = context.clock.monotonic();
  const progress = context.startProgress('sync');
  try {
    const result = await syncDirectory({
      ...parts,
      expect: (bytes) => progress.expect(bytes),
      advance: (bytes) => progress.advance(bytes),
    });
    progress.stop();
    const { tree } = result;
    const isOld = last !== undefined && hashesEqual(last, tree);
    if (!isOld) tell(context, result, (context.clock.monotonic() - startedAt) / 1000);
    return tree;
  } finally {
    progress.stop();
  }
}

function tell({ json, note, output }: CommandContext, result: SyncResult, seconds: number): void {
  const { tree, files, bytes, blobsMissing, blobsUploaded, bytesUploaded, problems } = result;
  if (json) {
    output.line(JSON.stringify({ ...result, tree: formatHash(tree), seconds }));
    return;
  }
  const leftOut = problems === 0 ? '' : `, ${problems} left out`;
  note(
    `sync ${files} ${files === 1 ? 'file' : 'files'} (${formatBytes(bytes)})${leftOut}: ` +
      `${blobsMissing} blobs missing, ${blobsUploaded} uploaded (${formatBytes(bytesUploaded)}), in ${seconds.toFixed(2)} s`,
  );
  output.line(formatHash(tree));
}

function realDirectory(name: string): string {
  try {
    const directory = realpathSync(name);
    if (statSync(directory).isDirectory()) return directory;
  } catch (error) {
    throw unreadable(name, error);
  }
  throw new CairnError('failed_precondition', `${name} is no directory`);
}
