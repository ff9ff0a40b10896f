// What the exit status of a command means. The one table: help prints it, every command ends through it.

import { CairnError, type ErrorCode } from '../base/errors.js';

export const exitCodes = {
  ok: 0,
  failed: 1,
  different: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  corrupt: 5,
  interrupted: 130,
  outputClosed: 141,
  terminated: 143,
} as const;

const meanings: Record<keyof typeof exitCodes, string> = {
  ok: 'done',
  failed: 'failed, in part or as a whole',
  different: 'diff, verify: not the same',
  usage: 'the command line or its input is wrong',
  notFound: 'no such blob, or no such path in a tree',
  unreachable: 'the server cannot be reached or does not answer',
  corrupt: 'the bytes are not what their digest says',
  interrupted: 'interrupted (Ctrl-C)',
  outputClosed: 'whoever read the output went away',
  terminated: 'told to stop (SIGTERM)',
};

const exitCodeOf: Partial<Record<ErrorCode, number>> = {
  invalid_argument: exitCodes.usage,
  out_of_range: exitCodes.usage,
  not_found: exitCodes.notFound,
  unavailable: exitCodes.unreachable,
  timeout: exitCodes.unreachable,
  corrupt: exitCodes.corrupt,
  canceled: exitCodes.interrupted,
};

export function exitCodeFor(error: unknown): number {
  return (error instanceof CairnError ? exitCodeOf[error.code] : undefined) ?? exitCodes.failed;
}

export const exitCodesHelp = `
Exit codes:
${Object.entries(exitCodes)
  .map(([name, code]) => `  ${String(code).padEnd(4)} ${meanings[name as keyof typeof exitCodes]}`)
  .join('\n')}`;
