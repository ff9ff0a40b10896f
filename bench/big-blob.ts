// A large blob that nobody has seen, its names, and what is sent for it.

import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Digest, hashHex } from '../src/base/digest.js';
import { createHasher } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { UploadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { envelope } from './http2-client.js';

const mib = 1024 * 1024;

export interface BigBlob {
  /** As many pieces of a MiB, all the same but for the first. */
  readonly pieces: readonly Uint8Array[];
  readonly size: number;
  readonly digest: Digest;
  /** Where Cairn has it over HTTP. */
  readonly path: string;
  /** In hex; computed when it is first asked for. */
  readonly sha256: string;
}

export function makeBigBlob(mebibytes: number): BigBlob {
  const filler = randomBytes(mib);
  const pieces = [randomBytes(mib), ...Array.from({ length: mebibytes - 1 }, () => filler)];
  const hasher = createHasher();
  for (const piece of pieces) hasher.update(piece);
  const digest = hasher.digest();
  let sha256: string | undefined;
  return {
    pieces,
    size: mebibytes * mib,
    digest,
    path: `/blobs/${hashHex(digest.hash)}`,
    get sha256() {
      sha256 ??= sha256Of(pieces);
      return sha256;
    },
  };
}

function sha256Of(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** The messages of an Upload, in their envelopes. */
export function uploadMessages({ digest, pieces }: Pick<BigBlob, 'digest' | 'pieces'>): Uint8Array[] {
  const metadata = { digest: encodeDigest(digest) };
  return [
    create(UploadRequestSchema, { payload: { case: 'metadata', value: metadata } }),
    ...pieces.map((value) => create(UploadRequestSchema, { payload: { case: 'chunk', value } })),
  ].map((message) => envelope(toBinary(UploadRequestSchema, message)));
}

/** A new file, on the disk when it resolves. */
export async function writeDurably(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'w');
  for (const piece of pieces) await file.write(piece);
  await file.datasync();
  await file.close();
}
