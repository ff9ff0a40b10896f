// cairn missing: which of the blobs named on standard input does the server lack? Lines are `blake3:<hex> <size>` and
// whatever follows, as put prints them; those of missing blobs come out unchanged.

import type { Command } from 'commander';
import { type Digest, hashHex, parseHash, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { digestJson, parseCount } from './format.js';
import { entries } from './name-list.js';

interface Line {
  readonly text: string;
  readonly digest: Digest;
}

export function addMissingCommand(program: Command): void {
  addSharedOptions(program.command('missing'))
    .description('read "blake3:<hex> <size>" lines from standard input and print those whose blobs are missing')
    .action((_flags: object, command: Command) => runCommand(command, missing));
}

async function missing(context: CommandContext): Promise<void> {
  context.signal.addEventListener('abort', () => process.stdin.destroy());
  let lines: Line[] = [];
  for await (const text of entries(process.stdin, '\n')) {
    lines.push(parseLine(text));
    if (lines.length < limits.missingLinesCountMax) continue;
    await printMissing(context, lines);
    lines = [];
  }
  await printMissing(context, lines);
}

async function printMissing({ client, signal, json, output }: CommandContext, lines: readonly Line[]): Promise<void> {
  const answer = await client.missing(
    lines.map(({ digest }) => digest),
    { signal },
  );
  const absent = new Set(answer.map(key));
  for (const { text, digest } of lines) {
    if (absent.has(key(digest))) output.line(json ? JSON.stringify(digestJson(digest)) : text);
  }
  await output.room();
}

function key(digest: Digest): string {
  return `${hashHex(digest.hash)} ${digest.size}`;
}

function parseLine(text: string): Line {
  const [hash, size] = text.split(' ', 2);
  if (size === undefined) {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} has no size: expected blake3:<hex> <size>`);
  }
  return { text, digest: toDigest(parseHash(hash!), parseCount(size.trim(), 'the size')) };
}
