// cairn rebuild: makes the index of a stopped store anew from its log.

import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import { exitCodeFor, exitCodes } from './exit-codes.js';
import { formatBytes } from './format.js';

interface RebuildFlags {
  readonly data: string;
  readonly json?: boolean;
}

export function addRebuildCommand(program: Command): void {
  program
    .command('rebuild')
    .description('make the index of a stopped store anew from its log; no server may have it open')
    .requiredOption('--data <directory>', 'where the blobs are kept')
    .option('--json', 'one JSON object instead of text')
    .action((_flags: object, command: Command) => rebuild(command.optsWithGlobals<RebuildFlags>()));
}

async function rebuild({ data, json = false }: RebuildFlags): Promise<void> {
  try {
    // Loaded here for the same reason as the server: most commands do without.
    const { rebuildIndex } = await import('../server/rebuild.js');
    const { blobs, bytes } = await rebuildIndex(data);
    process.stdout.write(json ? `${JSON.stringify({ blobs, bytes })}\n` : `${blobs} blobs, ${formatBytes(bytes)}\n`);
    process.exitCode = exitCodes.ok;
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    const { code, message } = error;
    process.stderr.write(json ? `${JSON.stringify({ error: { code, message } })}\n` : `cairn: ${message}\n`);
    // What is not there is a directory, not a blob.
    process.exitCode = code === 'not_found' ? exitCodes.failed : exitCodeFor(error);
  }
}
