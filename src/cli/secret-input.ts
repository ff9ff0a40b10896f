// Secrets come from a terminal, without being shown, or from standard input; never from the command line, which every process
// of the machine may read.

import { StringDecoder } from 'node:string_decoder';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { exitCodes } from './exit-codes.js';

/** The part of standard input that is used here. */
export interface SecretInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data' | 'end', listener: (bytes: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface SecretTerminal {
  readonly input: SecretInput;
  /** Where questions go. */
  readonly output: { write(text: string): unknown };
  /** Ctrl-C. */
  interrupt(): void;
}

const processTerminal: SecretTerminal = {
  input: process.stdin,
  output: process.stderr,
  interrupt: () => process.exit(exitCodes.interrupted),
};

/** A new password: typed twice on a terminal, otherwise the first line of standard input. */
export async function readNewPassword(name: string, terminal: SecretTerminal = processTerminal): Promise<string> {
  const password = await readSecret(`New password of ${name}: `, terminal);
  if (terminal.input.isTTY !== true) return password;
  const again = await readSecret('Once more: ', terminal);
  if (again !== password) throw new CairnError('invalid_argument', 'the two passwords differ');
  return password;
}

/** One's own password, for the sake of a call: from the environment or a terminal, as standard input may hold other things. */
export async function readOwnPassword(name: string, terminal: SecretTerminal = processTerminal): Promise<string> {
  const { CAIRN_PASSWORD: given } = process.env;
  if (given !== undefined) return given;
  if (terminal.input.isTTY === true) return readSecret(`Password of ${name}: `, terminal);
  throw new CairnError('invalid_argument', `no terminal to ask for the password of ${name}: set CAIRN_PASSWORD`);
}

/** Up to the end of the line, or of the input. */
export async function readSecret(question: string, { input, output, interrupt }: SecretTerminal): Promise<string> {
  const isTerminal = input.isTTY === true;
  if (isTerminal) output.write(question);
  input.setRawMode?.(true);
  let release = () => {};
  try {
    return await new Promise((resolve, reject) => {
      const decoder = new StringDecoder();
      let typed: string[] = [];
      const end = () => resolve(typed.join(''));
      const take = (bytes: Uint8Array) => {
        for (const letter of decoder.write(Buffer.from(bytes))) {
          if (letter === '\n' || letter === '\r' || (isTerminal && letter === endOfInput)) return end();
          if (isTerminal && letter === ctrlC) return interrupt();
          if (isTerminal && (letter === backspace || letter === '\b')) typed = typed.slice(0, -1);
          else typed.push(letter);
        }
        if (typed.length > limits.passwordCharactersMax) {
          reject(new CairnError('invalid_argument', 'the password is too long'));
        }
      };
      input.on('end', end);
      input.on('data', take);
      release = () => {
        input.off('end', end);
        input.off('data', take);
      };
      input.resume();
    });
  } finally {
    release();
    input.setRawMode?.(false);
    input.pause();
    if (isTerminal) output.write('\n');
  }
}

/** Keys as a terminal in raw mode sends them. */
const ctrlC = '\u0003';
const endOfInput = '\u0004';
const backspace = '\u007f';
