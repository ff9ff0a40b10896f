// cairn get: a blob, or a range of it, to standard output or a file. A file appears under its name only when it is
// complete; whatever ends the command earlier leaves nothing behind.

import type { Command } from 'commander';
import { type Digest, parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { resolveRange } from '../base/range.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { downloadToFile } from './download-file.js';
import { digestJson, parseCount } from './format.js';

interface GetFlags {
  readonly range?: string;
  readonly jobs?: string;
  readonly output?: string;
}

export function addGetCommand(program: Command): void {
  addSharedOptions(program.command('get'))
    .description('read a blob; a broken connection is taken up again')
    .argument('<digest>', 'blake3:<hex> or <hex>')
    .option('--range <start:length>', 'only these bytes; without a length to the end')
    .option('--jobs <count>', 'parts fetched at once; needs -o')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .action((text: string, flags: GetFlags, command: Command) =>
      runCommand(command, (context) => get(context, text, flags)),
    );
}

async function get(context: CommandContext, text: string, flags: GetFlags): Promise<void> {
  const { client, signal, output, json } = context;
  const hash = parseHash(text);
  const wanted = parseRange(flags.range);
  const jobs = flags.jobs === undefined ? 1 : parseCount(flags.jobs, 'the number of jobs');
  if (jobs < 1 || jobs > limits.downloadJobsCountMax) {
    throw new CairnError('invalid_argument', `jobs: from 1 to ${limits.downloadJobsCountMax}`);
  }
  if (jobs > 1 && flags.output === undefined) {
    throw new CairnError('invalid_argument', 'several jobs need a file to write to: -o FILE');
  }
  const digest: Digest = await client.digestOf(hash, { signal });
  const range = resolveRange(digest.size, wanted.start, wanted.length);
  const progress = context.startProgress('get');
  progress.expect(range.end - range.start);
  try {
    if (flags.output !== undefined) {
      await downloadToFile({ client, digest, range, jobs, path: flags.output, signal, onBytes: progress.advance });
      if (json)
        output.line(JSON.stringify({ ...digestJson(digest), start: range.start, length: range.end - range.start }));
      return;
    }
    for await (const piece of client.get(digest, { ...wanted, signal })) {
      await output.bytes(piece);
      progress.advance(piece.length);
    }
  } finally {
    progress.stop();
  }
}

function parseRange(text: string | undefined): { start: number; length?: number } {
  if (text === undefined) return { start: 0 };
  const parts = text.split(':');
  if (parts.length !== 2) throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no range: START:LENGTH`);
  const start = parseCount(parts[0]!, 'the start');
  return parts[1] === '' ? { start } : { start, length: parseCount(parts[1]!, 'the length') };
}
