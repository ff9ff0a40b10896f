// File systems that take several spellings for one name.

import { lstatSync } from 'node:fs';
import { entryPath, type SafeDirectory } from './safe-directory.js';

/** Names that fold to the same are one to a file system that ignores case or how accents are composed. */
export function foldName(name: string): string {
  return name.normalize('NFD').toLowerCase().toUpperCase().normalize('NFC');
}

/** Whether such a file system holds the directory, tried on what lies in it; undefined when nothing there tells. */
export function foldsCase(root: SafeDirectory): boolean | undefined {
  const { known } = root.list();
  for (const name of known.keys()) {
    const other = name.toUpperCase() === name ? name.toLowerCase() : name.toUpperCase();
    if (other === name || known.has(other)) continue;
    return lstatSync(entryPath(root.path, other), { throwIfNoEntry: false }) !== undefined;
  }
  return undefined;
}
