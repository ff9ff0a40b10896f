// The command as people run it: real processes. dist/ must be built, as `npm test` does first.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './project-root.js';

const installedCairn = join(projectRoot, 'bin/cairn');
/** Made by `bundle-command.ts`. */
export const bundledCairn = join(projectRoot, 'dist-test/bin/cairn');

export interface Finished {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly server?: string | undefined;
  /** Added to the test's own, of which nothing of ours is handed on. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: string | Uint8Array | undefined;
  readonly cwd?: string | undefined;
  /** Where the command makes its temporary files. */
  readonly temporary?: string | undefined;
  /** Whom it runs as; only root may choose. */
  readonly uid?: number | undefined;
  /** From the files that an installation has. Otherwise from a few that hold the same. */
  readonly asInstalled?: boolean | undefined;
}

export function spawnCairn(
  args: readonly string[],
  { server, env: given, cwd, temporary, uid, asInstalled = false }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const ours = (name: string) => /^CAIRN_(SERVER|TOKEN|PASSWORD|CA)$/.test(name);
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours(name))), ...given };
  if (server !== undefined) env.CAIRN_SERVER = server;
  if (temporary !== undefined) env.TMPDIR = temporary;
  return spawn(process.execPath, [asInstalled ? installedCairn : bundledCairn, ...args], {
    cwd,
    env,
    ...(uid !== undefined && { uid, gid: uid }),
  });
}

/** What it wrote and how it ended, once it has. */
export async function finished(child: ChildProcessWithoutNullStreams): Promise<Finished & { readonly bytes: Buffer }> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (bytes) => out.push(bytes));
  child.stderr.on('data', (bytes) => err.push(bytes));
  const code = await new Promise<number | undefined>((resolve) => {
    child.on('close', (status) => resolve(status ?? undefined));
  });
  const bytes = Buffer.concat(out);
  return { code, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() };
}

/** Runs one command to its end. */
export function runCairn(args: readonly string[], options: RunOptions = {}): ReturnType<typeof finished> {
  const child = spawnCairn(args, options);
  // A command that does not read its input closes it.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return finished(child);
}

export interface CairnServerProcess {
  readonly url: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything written to standard output so far. */
  stdout(): string;
  stderr(): string;
  /** Sends the signal and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | undefined>;
}

/**
 * `cairn serve` on a free port of 127.0.0.1; resolves when it says that it listens. With one thread unless it is told otherwise:
 * it starts in half the time then, and that answers are the same with workers is for the suites that run both ways.
 */
export async function startCairnServer(args: readonly string[]): Promise<CairnServerProcess> {
  const given = ['--listen', '127.0.0.1:0', '--log-level', 'warn', '--workers', '0', ...args];
  const child = spawnCairn(['serve', ...given]);
  let out = '';
  let err = '';
  const closed = new Promise<number | undefined>((resolve) => child.on('close', (code) => resolve(code ?? undefined)));
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (bytes) => {
      err += String(bytes);
    });
    child.stdout.on('data', (bytes) => {
      out += String(bytes);
      const line = /^listening on (\S+)\n/.exec(out);
      if (line !== null) resolve(line[1]!);
    });
    void closed.then((code) => reject(new Error(`cairn serve ended with ${code}: ${err}`)));
  });
  return {
    url,
    child,
    stdout: () => out,
    stderr: () => err,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return closed;
    },
  };
}
