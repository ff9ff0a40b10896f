// The second half of `npm run demo`: a directory as a tree, by the commands a person would type, run as they are shown.

import { execFile } from 'node:child_process';
import { appendFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cairn = fileURLToPath(new URL('../../bin/cairn', import.meta.url));

export interface DemoTreesParts {
  /** The server's address. */
  readonly url: string;
  /** Files to play with; only read. */
  readonly source: string;
  /** A directory to write into. */
  readonly scratch: string;
  readonly say: (line: string) => void;
}

export async function demoTrees({ url, source, scratch, say }: DemoTreesParts): Promise<void> {
  const env = { ...process.env, CAIRN_SERVER: url, XDG_CACHE_HOME: join(scratch, 'cache') };
  const here = (text: string) => text.replaceAll(`${scratch}/`, '');
  /** Shows a command, runs it, shows what it prints, and answers its standard output. */
  const type = async (...args: string[]): Promise<string> => {
    say(`   $ cairn ${here(args.join(' '))}`);
    // `diff` exits with 1 when there is something to show.
    const { stdout, stderr } = await run(process.execPath, [cairn, ...args], { env }).catch((error) => {
      if (args[0] === 'diff' && error.code === 1) return error as { stdout: string; stderr: string };
      throw error;
    });
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) say(`     ${here(line)}`);
    return stdout.trim();
  };

  const work = join(scratch, 'work');
  await cp(source, work, { recursive: true });
  say('9. Sync a directory: one digest names all of it');
  const first = await type('sync', work);
  say('10. Change one file and sync again: what is new travels, and a few nodes of the tree');
  await appendFile(join(work, 'base', 'clock.ts'), '// later\n');
  const second = await type('sync', work);
  await type('diff', first, second);
  say('11. Check the first tree out elsewhere, and compare');
  const copy = join(scratch, 'copy');
  await type('checkout', first, copy);
  await type('verify', first, copy);
}
