// cairn path: where blobs lie on this machine's disk, for programs that can read them in place.

import type { Command } from 'commander';
import { formatHash, parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { absent } from './absent.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';

export function addPathCommand(program: Command): void {
  addSharedOptions(program.command('path'))
    .description('print the file of each blob that has one of its own on this machine; for reading only')
    .argument('<digest...>', 'blake3:<hex> or <hex>')
    .action((texts: string[], _flags: object, command: Command) =>
      runCommand(command, (context) => path(context, texts)),
    );
}

async function path({ client, signal, json, output, fail }: CommandContext, texts: readonly string[]): Promise<void> {
  const hashes = texts.map(parseHash);
  const found = await client.locate(hashes, { signal });
  for (const [i, hash] of hashes.entries()) {
    const digest = formatHash(hash);
    const located = found[i];
    if (located === undefined) fail(...absent(hash));
    else if (located.localPath === undefined) {
      const reason = 'has no file of its own here: it is small, or the server is on another machine';
      fail(new CairnError('failed_precondition', `${digest} ${reason}`), { digest });
    } else output.line(json ? JSON.stringify({ digest, path: located.localPath }) : located.localPath);
  }
}
