// Which entries of a directory stay out of its tree: patterns as in a .gitignore at its top.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type Ignore from 'ignore';
import { unreadable } from './file-chunks.js';

export interface ExcludeFlags {
  readonly exclude?: readonly string[];
  readonly excludeFrom?: readonly string[];
}

/** Undefined when nothing is excluded. Files of patterns come first: later patterns win. */
export function excludes({
  exclude = [],
  excludeFrom = [],
}: ExcludeFlags): ((path: string, isDirectory: boolean) => boolean) | undefined {
  if (exclude.length === 0 && excludeFrom.length === 0) return undefined;
  // Loaded here: most runs exclude nothing.
  const ignore = createRequire(import.meta.url)('ignore') as typeof Ignore;
  // Names may be odd, such as '..x'; they come from a directory, so none leads out of it.
  const patterns = ignore({ ignorecase: false, allowRelativePaths: true });
  for (const file of excludeFrom) patterns.add(readPatterns(file));
  patterns.add(exclude.map((pattern) => ({ pattern })));
  return (path, isDirectory) => patterns.ignores(isDirectory ? `${path}/` : path);
}

function readPatterns(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}
