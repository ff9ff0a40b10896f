// The rules between the entries of a tree: in order of path, each path once, and nothing below a file, a symbolic link or
// an empty directory. Give it the entries one after the other; leaving some out is allowed, and checks what remains.

import { CairnError } from '../base/errors.js';
import { comparePaths, type TreeItem } from './tree-item.js';

export class TreeOrder {
  /** Paths so far that the last one begins with, the last one itself at the end. Only these can have entries below. */
  readonly #prefixes: string[] = [];

  /** `invalid_argument` when the entry may not follow those before. */
  check({ path }: TreeItem): void {
    const prefixes = this.#prefixes;
    const last = prefixes.at(-1);
    if (last !== undefined) {
      const order = comparePaths(last, path);
      if (order === 0) throw refused(`path ${JSON.stringify(path)} appears twice`);
      if (order > 0) throw refused(`path ${JSON.stringify(path)} comes after ${JSON.stringify(last)}`);
    }
    while (prefixes.length > 0 && !path.startsWith(prefixes.at(-1)!)) prefixes.pop();
    for (const prefix of prefixes) {
      if (path[prefix.length] === '/') {
        throw refused(`path ${JSON.stringify(path)} lies below ${JSON.stringify(prefix)}, which is no directory of it`);
      }
    }
    prefixes.push(path);
  }
}

function refused(message: string): CairnError {
  return new CairnError('invalid_argument', message);
}
