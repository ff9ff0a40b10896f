// The LumeoFS document as tests read it: its examples in order, each with the answer printed behind it.

import { readFileSync } from 'node:fs';

export interface Block {
  /** `http`, `json`, `bash`, or empty where the document says nothing. */
  readonly language: string;
  readonly text: string;
  /** The nearest heading of the fourth level above it, and what is printed in bold right above it. */
  readonly heading: string;
  readonly label: string;
}

export interface LumeoDocument {
  /** Of the chapter with this number. */
  blocks(chapter: number): readonly Block[];
  /** Method and path, as appendix A lists them. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Number and name, as chapter 7 lists them. */
  readonly errors: readonly { readonly code: number; readonly name: string }[];
}

export function readLumeoDocument(path: string): LumeoDocument {
  const text = readFileSync(path, 'utf8');
  const chapters = text.split(/^## (?=\d+\. |附录)/m);
  const rows = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match as readonly string[]);
  return {
    blocks: (chapter) => blocksOf(chapters.find((each) => each.startsWith(`${chapter}. `))!),
    routes: rows(/^\| (GET|POST|PUT|DELETE) \| `([^`]+)` \|/gm).map(([, method, path]) => ({
      method: method!,
      path: path!,
    })),
    errors: rows(/^\| (\d+) \| ([A-Z_]+) \|/gm).map(([, code, name]) => ({ code: Number(code), name: name! })),
  };
}

function blocksOf(chapter: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let label = '';
  let open: { language: string; lines: string[] } | undefined;
  for (const line of chapter.split('\n')) {
    if (open !== undefined && line === '```') {
      blocks.push({ language: open.language, text: open.lines.join('\n'), heading, label });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else if (line.startsWith('```')) open = { language: line.slice(3), lines: [] };
    else if (line.startsWith('#### ')) heading = line.slice(5);
    else if (line.startsWith('**')) label = line;
  }
  return blocks;
}

/** Where an answer lacks something that the printed one has, or has it of another kind; empty when it fits. */
export function misfits(printed: unknown, actual: unknown, at = 'answer'): string[] {
  const kinds = [kindOf(printed), kindOf(actual)];
  if (kinds[0] !== kinds[1]) return [`${at} is ${kinds[1]}, not ${kinds[0]}`];
  if (Array.isArray(printed)) {
    // An example has one item, or several alike; there may be none.
    return (actual as unknown[]).flatMap((item, i) => misfits(printed[0], item, `${at}[${i}]`));
  }
  if (kinds[0] !== 'object') return [];
  const found = actual as Record<string, unknown>;
  return Object.entries(printed as object).flatMap(([name, value]) => misfits(value, found[name], `${at}.${name}`));
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value)) return 'time';
  return value === null ? 'null' : typeof value;
}
