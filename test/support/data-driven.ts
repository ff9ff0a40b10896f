// Reads tables of commands and the answers expected to them: `command key=value key=(a,b)`, perhaps lines of input, `----`,
// then the answer up to an empty line. `#` begins a comment.

import { readdirSync, readFileSync } from 'node:fs';

export interface DataDrivenCase {
  /** Where it stands, for messages. */
  readonly name: string;
  readonly command: string;
  /** Values of an argument, its parentheses and commas taken off. */
  readonly args: ReadonlyMap<string, readonly string[]>;
  readonly input: readonly string[];
  readonly want: readonly string[];
}

export interface DataDrivenFile {
  readonly name: string;
  readonly cases: readonly DataDrivenCase[];
}

export function readDataDriven(directory: string): DataDrivenFile[] {
  return readdirSync(directory)
    .sort()
    .map((name) => ({ name, cases: parse(name, readFileSync(`${directory}/${name}`, 'utf8')) }));
}

function parse(file: string, text: string): DataDrivenCase[] {
  const lines = text.split('\n');
  const cases: DataDrivenCase[] = [];
  for (let at = 0; at < lines.length; ) {
    if (lines[at]!.trim() === '' || lines[at]!.startsWith('#')) {
      at++;
      continue;
    }
    const name = `${file}:${at + 1}: ${lines[at]}`;
    const [, command, rest] = /^(\S+)\s*(.*)$/.exec(lines[at++]!)!;
    const input: string[] = [];
    while (lines[at] !== '----') input.push(lines[at++]!);
    at++;
    const want: string[] = [];
    while (at < lines.length && lines[at] !== '') want.push(lines[at++]!);
    cases.push({ name, command: command!, args: parseArguments(rest!), input, want });
  }
  return cases;
}

function parseArguments(text: string): Map<string, string[]> {
  const found = [...text.matchAll(/(\w+)=(?:\(([^)]*)\)|(\S+))/g)];
  return new Map(found.map(([, key, list, value]) => [key!, (list ?? value!).split(',').map((item) => item.trim())]));
}
