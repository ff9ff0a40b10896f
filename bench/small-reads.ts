// Small blobs over gRPC, one call each: the lane, the general handler, and a bare `node:http2` stream that reads 4 KiB from a
// file and frames them.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { digestBlob } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { DownloadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import type { Scenario } from './harness.js';
import { envelope } from './http2-client.js';
import { grpcLoad } from './load.js';
import { spawnBareServer, spawnCairn } from './processes.js';

const blobBytes = 4096;
const method = '/zako.v1.transport.Transport/Download';

/** Against the bare stream, or against the general handler. */
export async function smallDownloads(directory: string, calls: number, yardstick: 'bare' | 'stock'): Promise<Scenario> {
  const file = join(directory, 'blob');
  const bytes = randomBytes(blobBytes);
  await writeFile(file, bytes);
  const other =
    yardstick === 'bare' ? await spawnBareServer(file) : await spawnCairn(join(directory, 'stock'), ['--no-lane']);
  const cairn = await spawnCairn(join(directory, 'lane'));
  const digest = digestBlob(bytes);
  const path = `/blobs/${Buffer.from(digest.hash).toString('hex')}`;
  for (const { url } of yardstick === 'bare' ? [cairn] : [cairn, other]) {
    await fetch(url + path, { method: 'PUT', body: bytes });
  }
  const request = create(DownloadRequestSchema, { metadata: { digest: encodeDigest(digest) } });
  const question = envelope(toBinary(DownloadRequestSchema, request));
  const load = (url: string) => async () => {
    await grpcLoad({ url, method, question, calls }, join(directory, 'question'));
    return calls;
  };
  const name = yardstick === 'bare' ? 'bare node:http2, framed by hand' : 'general RPC handler (--no-lane)';
  return {
    title: `Small downloads over gRPC: 4 KiB each, 64 at once, beside ${yardstick === 'bare' ? 'a bare stream' : 'the general handler'}`,
    unit: 'downloads',
    yardstickCount: 1,
    subjects: [
      { name, run: load(other.url) },
      { name: 'Download over gRPC', budget: yardstick === 'bare' ? 0.7 : 5, run: load(cairn.url) },
    ],
    close: async () => {
      await other.close();
      await cairn.close();
    },
  };
}
