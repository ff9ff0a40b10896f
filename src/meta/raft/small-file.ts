// A small file, read whole.

import type { FileSystem } from '../../log/file-system.js';

/** Undefined when there is none. */
export async function readSmallFile(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  const file = await fs.open(path, 'read');
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(await file.size());
    await file.read(bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}
