// BatchRead's answer by hand, for blobs that are all there: its form is known before they are read, so that each is read into
// its place.

import type { Digest } from '../../../base/digest.js';
import { digestLength, FrameWriter, fieldLength, tags } from '../../../base/message-frame.js';

export interface BatchReadFrame {
  /** The answer in its envelope, once each blob's bytes are in its room. */
  readonly frame: Uint8Array;
  /** One for each blob, as long as it. */
  readonly rooms: readonly Uint8Array[];
}

export function layOutBatchRead(digests: readonly Digest[]): BatchReadFrame {
  let bytes = 0;
  for (const digest of digests) bytes += fieldLength(itemLength(digest));
  const writer = new FrameWriter(bytes);
  const rooms = digests.map((digest) => {
    writer.tag(tags.bytes1, itemLength(digest));
    writer.digest(digest);
    // No bytes are no field.
    if (digest.size > 0) writer.tag(tags.bytes2, digest.size);
    const room = writer.frame.subarray(writer.at, writer.at + digest.size);
    writer.at += digest.size;
    // The status, of which nothing is to be said.
    writer.tag(tags.bytes3, 0);
    return room;
  });
  return { frame: writer.finish(), rooms };
}

function itemLength(digest: Digest): number {
  return fieldLength(digestLength(digest)) + (digest.size > 0 ? fieldLength(digest.size) : 0) + fieldLength(0);
}
