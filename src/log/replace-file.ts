// A small file that is replaced as a whole, and is never seen half written.

import { dirname } from 'node:path';
import type { FileSystem } from './file-system.js';

/** Durable when it resolves. One writer a path. */
export async function replaceFile(fs: FileSystem, path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await fs.remove(temporary);
  const file = await fs.create(temporary);
  try {
    await file.write([content], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
  await fs.syncDirectory(dirname(path));
}
