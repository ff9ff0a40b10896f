// What every command that talks to a server runs in: the client, a signal that Ctrl-C, SIGTERM and a closed output
// raise, where lines go, and the one place where errors become a message and an exit code.

import { MessageChannel } from 'node:worker_threads';
import type { Command } from 'commander';
import { type Clock, systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import type { CairnClient } from '../client/cairn-client.js';
import { connect } from '../client/connect.js';
import { addConnectionOptions, type ConnectionFlags, connection } from './connection.js';
import { exitCodeFor, exitCodes } from './exit-codes.js';
import { Output } from './output.js';
import { type Progress, startProgress } from './progress.js';

export interface CommandContext {
  readonly client: CairnClient;
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly output: Output;
  readonly clock: Clock;
  startProgress(label: string): Progress;
  /** A line for people on standard error; with --json an object. */
  note(message: string, fields?: object): void;
  /** Reports a failure that the command survives, and makes the exit code that of the first one. */
  fail(error: unknown, fields?: object): void;
  /** What the exit code is to be unless something fails. */
  endWith(code: number): void;
}

interface SharedOptions extends ConnectionFlags {
  readonly json?: boolean;
}

/** Adds what all commands of a client understand. */
export function addSharedOptions(command: Command): Command {
  return addConnectionOptions(command).option('--json', 'one JSON object a line instead of text');
}

/** Runs a command to its end and ends the process with its exit code. */
export async function runCommand(command: Command, work: (context: CommandContext) => Promise<void>): Promise<never> {
  const { json = false, ...flags } = command.optsWithGlobals<SharedOptions>();
  const output = new Output(process.stdout);
  const stopping = new AbortController();
  let exitCode: number = exitCodes.ok;
  let failed = false;
  const report = (error: unknown, fields: object = {}) => {
    output.beforeWrite();
    process.stderr.write(`${json ? errorJson(error, fields) : `cairn: ${messageOf(error)}`}\n`);
  };
  const fail = (error: unknown, fields?: object) => {
    report(error, fields);
    if (!failed && !stopping.signal.aborted) exitCode = exitCodeFor(error);
    failed = true;
  };
  const stop = (code: number) => {
    if (stopping.signal.aborted) process.exit(code);
    exitCode = code;
    stopping.abort();
  };
  process.on('SIGINT', () => stop(exitCodes.interrupted));
  process.on('SIGTERM', () => stop(exitCodes.terminated));
  process.stdout.on('error', () => {
    if (!stopping.signal.aborted) stop(exitCodes.outputClosed);
  });
  const release = keepProcessAlive();
  try {
    const { url, options } = await connection(flags);
    const client = connect(url, options);
    try {
      await work({
        client,
        signal: stopping.signal,
        json,
        output,
        clock: systemClock,
        startProgress: (label) => startProgress(label, { clock: systemClock, output, stream: process.stderr }),
        note: (message, fields = {}) => {
          output.beforeWrite();
          process.stderr.write(`${json ? JSON.stringify({ message, ...fields }) : message}\n`);
        },
        fail,
        endWith: (code) => {
          if (!failed && !stopping.signal.aborted) exitCode = code;
        },
      });
    } finally {
      client.close();
    }
    if (!stopping.signal.aborted) await output.flush();
  } catch (error) {
    if (!stopping.signal.aborted) fail(error);
  }
  release();
  process.exit(exitCode);
}

/** Timers here never keep a process alive, and a client that waits to try again has nothing else that would. */
function keepProcessAlive(): () => void {
  const { port1, port2 } = new MessageChannel();
  port1.ref();
  return () => {
    port1.close();
    port2.close();
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errorJson(error: unknown, fields: object): string {
  const code = error instanceof CairnError ? error.code : 'internal';
  return JSON.stringify({ ...fields, error: { code, message: messageOf(error) } });
}
