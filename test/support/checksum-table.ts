// The checksum table of bytes, as it stands in a log.

import { blockCount, writeChecksums } from '../../src/log/block-checksums.js';

export function checksumTable(bytes: Uint8Array): Uint8Array {
  const table = new Uint8Array(4 * blockCount(bytes.length));
  writeChecksums(bytes, table, 0);
  return table;
}
