// cairn stat: the sizes of blobs known by digest.

import type { Command } from 'commander';
import { parseHash, toDigest } from '../base/digest.js';
import { absent } from './absent.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { digestJson, formatDigest } from './format.js';

export function addStatCommand(program: Command): void {
  addSharedOptions(program.command('stat'))
    .description('print "blake3:<hex> <size>" for each blob that is there')
    .argument('<digest...>', 'blake3:<hex> or <hex>')
    .action((texts: string[], _flags: object, command: Command) =>
      runCommand(command, (context) => stat(context, texts)),
    );
}

async function stat({ client, signal, json, output, fail }: CommandContext, texts: readonly string[]): Promise<void> {
  const hashes = texts.map(parseHash);
  const found = await client.stat(hashes, { signal });
  for (const [i, hash] of hashes.entries()) {
    const size = found[i]?.size;
    if (size === undefined) fail(...absent(hash));
    else if (json) output.line(JSON.stringify(digestJson(toDigest(hash, size))));
    else output.line(formatDigest(toDigest(hash, size)));
  }
}
