// Fetches a snapshot from the node that has offered it into a file. What comes is not believed here: the hash is checked
// again when it is loaded.

import { join } from 'node:path';
import { hashesEqual, hashHex, toHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { createHasher } from '../../blake3/hasher.js';
import type { FileSystem } from '../../log/file-system.js';
import type { PeerClient } from './peer-calls.js';
import type { SnapshotFile } from './snapshot-file.js';

export async function fetchSnapshot(
  client: PeerClient,
  { index, ...asker }: { readonly groupId: string; readonly from: bigint; readonly index: number },
  { fs, directory }: { readonly fs: FileSystem; readonly directory: string },
  signal: AbortSignal,
): Promise<SnapshotFile> {
  const temporary = join(directory, `fetching-${index}.tmp`);
  await fs.remove(temporary);
  const file = await fs.create(temporary);
  const hasher = createHasher();
  let hash = new Uint8Array(0);
  let expectedBytes = 0;
  let bytes = 0;
  try {
    for await (const part of client.fetchSnapshot({ ...asker, index: BigInt(index) }, { signal })) {
      if (hash.length === 0) {
        hash = Uint8Array.from(part.hash);
        expectedBytes = Number(part.bytes);
      }
      await file.write([part.data], bytes);
      hasher.update(part.data);
      bytes += part.data.length;
      if (bytes > expectedBytes) break;
    }
    await file.sync();
  } catch (error) {
    hasher.discard();
    await file.close();
    await fs.remove(temporary);
    throw error;
  }
  await file.close();
  const got = hasher.digest().hash;
  if (bytes !== expectedBytes || !hashesEqual(got, hash)) {
    await fs.remove(temporary);
    throw new CairnError('corrupt', `the snapshot of ${index} did not come as it was offered`);
  }
  const path = join(directory, `${index}-${hashHex(got)}.fetched`);
  await fs.rename(temporary, path);
  await fs.syncDirectory(directory);
  return { path, hash: toHash(got), bytes };
}
