// Entries of a directory tree, and the rules that each of them keeps by itself. A path is relative to the root of the tree;
// its components are joined by slashes, and a directory that holds something is implied by what it holds.
// What entries owe each other (order, nothing below a file) is in tree-order.ts.

import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';

export interface FileItem {
  readonly kind: 'file';
  readonly path: string;
  readonly digest: Digest;
  readonly executable: boolean;
  readonly readonly: boolean;
}

export interface SymlinkItem {
  readonly kind: 'symlink';
  readonly path: string;
  /** Where the link points, seen from the directory it lies in. */
  readonly target: string;
}

export interface EmptyDirectoryItem {
  readonly kind: 'directory';
  readonly path: string;
}

export type TreeItem = FileItem | SymlinkItem | EmptyDirectoryItem;

/** Orders paths by their UTF-8 bytes: negative, zero or positive. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return a.length - b.length;
}

/** UTF-16 has the halves of characters beyond U+FFFF before U+E000; in UTF-8 these characters come last. */
function utf8Rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** `invalid_argument`, with a message of its own for each rule, when the entry may not be in any tree. */
export function checkItem(item: TreeItem): void {
  checkPath(item.path);
  if (item.kind === 'symlink') checkTarget(item.path, item.target);
}

const loneSurrogate = /\p{Surrogate}/u;
/** Any of: a slash at either end, two in a row, a component `.` or `..`. */
const oddComponent = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** `invalid_argument`, with a message of its own for each rule, unless the path may stand in a tree. */
export function checkPath(path: string): void {
  if (path === '') throw refused('a path is empty');
  if (loneSurrogate.test(path)) throw refused(`path ${quote(path)} is not UTF-8`);
  if (path.includes('\0')) throw refused(`path ${quote(path)} contains a NUL`);
  if (oddComponent.test(path)) throw refused(`path ${quote(path)} ${oddity(path)}`);
  if (isLonger(path, limits.treePathBytesMax)) {
    throw refused(`path ${quote(path)} is longer than ${limits.treePathBytesMax} bytes`);
  }
  if (isLonger(path, limits.treeNameBytesMax)) checkNames(path);
}

function oddity(path: string): string {
  if (path.startsWith('/')) return 'is absolute';
  const components = path.split('/');
  if (components.includes('..')) return "contains '..'";
  if (components.includes('.')) return "contains '.'";
  return path.endsWith('/') ? 'ends with a slash' : 'has two slashes in a row';
}

function checkNames(path: string): void {
  for (const name of path.split('/')) {
    if (isLonger(name, limits.treeNameBytesMax)) {
      throw refused(`path ${quote(path)} has a name longer than ${limits.treeNameBytesMax} bytes: ${quote(name)}`);
    }
  }
}

/**
 * A target may climb by leading `..` alone, and not above the root. `..` after a name is refused even where it seems to
 * stay inside: the name may be a link itself, and then the climb starts from wherever that one leads. Since nothing lies
 * below a link, the directory a link lies in is a real one; so no chain of such links leads out.
 */
function checkTarget(path: string, target: string): void {
  const link = `the target of link ${quote(path)}`;
  if (target === '') throw refused(`${link} is empty`);
  const named = `${link}, ${quote(target)},`;
  if (loneSurrogate.test(target)) throw refused(`${named} is not UTF-8`);
  if (target.includes('\0')) throw refused(`${named} contains a NUL`);
  if (target.startsWith('/')) throw refused(`${named} is absolute`);
  if (isLonger(target, limits.treePathBytesMax)) {
    throw refused(`${named} is longer than ${limits.treePathBytesMax} bytes`);
  }
  let depth = path.split('/').length - 1;
  let named_ = false;
  for (const component of target.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') named_ = true;
    else if (named_) throw refused(`${named} has '..' after a name`);
    else if (--depth < 0) throw refused(`${named} leads out of the tree`);
  }
}

/** Whether the text has more bytes in UTF-8. */
function isLonger(text: string, bytes: number): boolean {
  if (text.length * 3 <= bytes) return false;
  return text.length > bytes || new TextEncoder().encode(text).length > bytes;
}

/** The text as JSON has it, so that nothing in it can play tricks on a terminal, cut where it gets long. */
function quote(text: string): string {
  const most = limits.treeMessagePathCharactersMax;
  return text.length <= most ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, most))}…`;
}

function refused(message: string): CairnError {
  return new CairnError('invalid_argument', message);
}
