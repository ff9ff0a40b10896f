// The command installed a second time, under dist-test/, for tests that start it hundreds of times: what `tsc` has compiled, in
// a few files instead of hundreds, which Node loads in half the time. vitest calls `setup` before the first test.

import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { bundledCairn } from './cairn-process.js';
import { projectRoot } from './project-root.js';

const compiled = join(projectRoot, 'dist');
/** They look for files of their own: machine code, the modules of their threads. */
const leftAlone = /^(@napi-rs\/|blake3-wasm|fs-native-extensions|level|pino|piscina)/;

/** Does nothing where it is done, or where nothing is compiled. */
export async function setup(): Promise<void> {
  if (!existsSync(join(compiled, 'cli/main.js'))) return;
  if (existsSync(bundledCairn) && modified(bundledCairn) >= modified(join(compiled, '.tsbuildinfo'))) return;
  const threads = ['cli', 'server'].flatMap((room) =>
    readdirSync(join(compiled, room)).flatMap((file) =>
      file.endsWith('-worker.js') ? join(compiled, room, file) : [],
    ),
  );
  const home = join(projectRoot, `dist-test-${process.pid}`);
  await build({
    input: [join(compiled, 'cli/main.js'), ...threads],
    platform: 'node',
    external: leftAlone,
    // All in one directory, so that a module finds beside it the one that its thread begins with.
    output: { dir: join(home, 'dist/cli'), entryFileNames: '[name].js' },
    logLevel: 'warn',
  });
  mkdirSync(join(home, 'bin'), { recursive: true });
  for (const file of ['package.json', 'bin/package.json', 'bin/cairn']) {
    copyFileSync(join(projectRoot, file), join(home, file));
  }
  const last = join(projectRoot, 'dist-test');
  rmSync(last, { recursive: true, force: true });
  renameSync(home, last);
}

function modified(path: string): number {
  return statSync(path).mtimeMs;
}
