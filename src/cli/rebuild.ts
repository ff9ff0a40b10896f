// cairn rebuild: makes the index of a stopped store anew from its log.

import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import { exitCodeFor } from './exit-codes.js';

export function addRebuildCommand(program: Command): void {
  program
    .command('rebuild')
    .description('make the index of a stopped store anew from its log; no server may have it open')
    .requiredOption('--data <directory>', 'where the blobs are kept')
    .action(rebuild);
}

async function rebuild({ data }: { data: string }): Promise<void> {
  try {
    throw new CairnError('unimplemented', `${data} cannot be rebuilt yet`);
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    process.stderr.write(`cairn: ${error.message}\n`);
    process.exitCode = exitCodeFor(error);
  }
}
