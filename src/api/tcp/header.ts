// The head of every LMOF message, 24 bytes, all integers big-endian:
//   0  magic `LMOF`     4  version u16     6  type u16     8  length of the body u64     16  request id u64
// Length and request id are 64-bit numbers that need not fit a JavaScript number, so they are bigints here.

import { CairnError } from '../../base/errors.js';

export const headerBytes = 24;
export const lmofMagic = Buffer.from('LMOF');

export interface Header {
  readonly version: number;
  readonly type: number;
  readonly length: bigint;
  readonly requestId: bigint;
}

export function encodeHeader({ version, type, length, requestId }: Header): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.set(lmofMagic);
  bytes.writeUInt16BE(version, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(length, 8);
  bytes.writeBigUInt64BE(requestId, 16);
  return bytes;
}

/** Reads `headerBytes` bytes. `invalid_argument` when they do not begin a message. */
export function decodeHeader(bytes: Buffer): Header {
  if (bytes.compare(lmofMagic, 0, 4, 0, 4) !== 0) {
    throw new CairnError('invalid_argument', `a message begins with LMOF, not with ${bytes.toString('hex', 0, 4)}`);
  }
  return {
    version: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    length: bytes.readBigUInt64BE(8),
    requestId: bytes.readBigUInt64BE(16),
  };
}
