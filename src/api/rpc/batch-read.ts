// BlobService.BatchRead: many small blobs in one answer of bounded size. Sizes are asked first, so that what fits is
// decided in the order asked; then what fits is read, a few at a time.

import type { BlobStore } from '../../base/blob-store.js';
import { type Digest, formatHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { BatchReadRequest, ItemStatus } from '../../gen/cairn/v1/blob_service_pb.js';
import type { Digest as DigestMessage } from '../../gen/zako/v1/digest/digest_pb.js';
import type { BatchCall } from './batch-call.js';
import { concurrently } from './concurrently.js';
import { fromDigestMessage } from './digest-message.js';
import { itemFailure, itemSuccess } from './item-status.js';
import { refuseTooMany } from './missing-digests.js';

interface ReadItem {
  readonly digest: DigestMessage;
  readonly data: Uint8Array;
  readonly status: ItemStatus;
}

const noBytes = new Uint8Array(0);

/** Most bytes of an item besides its data and its status message: tags, lengths, digest, code. */
const binaryItemBytes = 64;
const jsonItemBytes = 192;

/** `too_large` for more than `batchItemsCountMax` digests; everything else is the status of an item. */
export async function batchRead(
  store: BlobStore,
  { digests }: BatchReadRequest,
  call: BatchCall,
): Promise<{ items: ReadItem[] }> {
  refuseTooMany(digests.length, limits.batchItemsCountMax, 'digests');
  const plan = fitIntoAnswer(await findBlobs(store, digests), call.json);
  const items = await concurrently(plan, limits.batchConcurrencyMax, call.signal, async (item, index) => {
    const digest = digests[index]!;
    try {
      if (item instanceof CairnError) throw item;
      return { digest, data: await readWhole(store, item), status: itemSuccess };
    } catch (error) {
      return { digest, data: noBytes, status: itemFailure(error, call.errors) };
    }
  });
  return { items };
}

/** For each digest itself, or why it cannot be read. */
type Planned = Digest | CairnError;

async function findBlobs(store: BlobStore, messages: readonly DigestMessage[]): Promise<Planned[]> {
  const asked = messages.map(parse);
  const wellFormed = asked.filter((item): item is Digest => !(item instanceof CairnError));
  const stats = await store.stat(wellFormed.map(({ hash }) => hash));
  const sizes = new Map(wellFormed.map((digest, index) => [digest, stats[index]?.size]));
  return asked.map((item) => (item instanceof CairnError || sizes.get(item) === item.size ? item : notFound(item)));
}

function parse(message: DigestMessage): Planned {
  try {
    return fromDigestMessage(message);
  } catch (error) {
    if (error instanceof CairnError) return error;
    throw error;
  }
}

/** Items are admitted in order, while all later ones could still fail with the longest message there is. */
function fitIntoAnswer(items: readonly Planned[], json: boolean): Planned[] {
  const itemBytes = json ? jsonItemBytes : binaryItemBytes;
  const encodedBytes = (length: number) => (json ? 4 * Math.ceil(length / 3) : length);
  let freeBytes = limits.answerBytesMax - items.length * (itemBytes + limits.itemMessageCharactersMax);
  return items.map((item) => {
    if (item instanceof CairnError) return item;
    const dataBytes = encodedBytes(item.size) - limits.itemMessageCharactersMax;
    if (dataBytes > freeBytes) return new CairnError('too_large', 'did not fit into this answer');
    freeBytes -= dataBytes;
    return item;
  });
}

async function readWhole(store: BlobStore, digest: Digest): Promise<Uint8Array> {
  const handle = await store.open(digest.hash);
  if (handle === undefined) throw notFound(digest);
  try {
    if (digest.size <= limits.readBytesMax) return await handle.read({ start: 0, end: digest.size });
    const whole = new Uint8Array(digest.size);
    for (let start = 0; start < digest.size; start += limits.readBytesMax) {
      const end = Math.min(start + limits.readBytesMax, digest.size);
      whole.set(await handle.read({ start, end }), start);
    }
    return whole;
  } finally {
    await handle.close();
  }
}

function notFound({ hash, size }: Digest): CairnError {
  return new CairnError('not_found', `no blob ${formatHash(hash)} of ${size} bytes`);
}
