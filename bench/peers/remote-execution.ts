// Messages of the remote-execution API and of google.bytestream, as bazel-remote speaks them, in their envelopes. Field numbers
// are those of the published schemas.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { envelope } from '../http2-client.js';

export const byteStreamRead = '/google.bytestream.ByteStream/Read';
export const byteStreamWrite = '/google.bytestream.ByteStream/Write';
const storage = '/build.bazel.remote.execution.v2.ContentAddressableStorage';
export const findMissingBlobs = `${storage}/FindMissingBlobs`;
export const batchUpdateBlobs = `${storage}/BatchUpdateBlobs`;

export interface Sha256Digest {
  readonly sha256: string;
  readonly size: number;
}

/** `ReadRequest`: resource_name = 1. */
export function readMessage({ sha256, size }: Sha256Digest): Uint8Array {
  return envelope(text(1, `blobs/${sha256}/${size}`).finish());
}

/** `WriteRequest`s: resource_name = 1, write_offset = 2, finish_write = 3, data = 10. */
export function writeMessages({ sha256, size }: Sha256Digest, pieces: readonly Uint8Array[]): Uint8Array[] {
  let offset = 0;
  return pieces.map((piece) => {
    const writer =
      offset === 0 ? text(1, `uploads/${crypto.randomUUID()}/blobs/${sha256}/${size}`) : new BinaryWriter();
    writer.tag(2, WireType.Varint).int64(offset);
    offset += piece.length;
    writer.tag(3, WireType.Varint).bool(offset === size);
    return envelope(writer.tag(10, WireType.LengthDelimited).bytes(piece).finish());
  });
}

/** `FindMissingBlobsRequest`: blob_digests = 2. */
export function findMissingMessage(digests: readonly Sha256Digest[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const digest of digests) writer.tag(2, WireType.LengthDelimited).bytes(digestMessage(digest));
  return envelope(writer.finish());
}

/** `BatchUpdateBlobsRequest`: requests = 2, of digest = 1 and data = 2. */
export function batchUpdateMessage(blobs: readonly (Sha256Digest & { readonly data: Uint8Array })[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const blob of blobs) {
    const request = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(digestMessage(blob));
    request.tag(2, WireType.LengthDelimited).bytes(blob.data);
    writer.tag(2, WireType.LengthDelimited).bytes(request.finish());
  }
  return envelope(writer.finish());
}

/** `Digest`: hash = 1, in hex; size_bytes = 2. */
function digestMessage({ sha256, size }: Sha256Digest): Uint8Array {
  return text(1, sha256).tag(2, WireType.Varint).int64(size).finish();
}

function text(field: number, value: string): BinaryWriter {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).string(value);
}
