import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { batchRead } from '../../../src/api/rpc/batch-read.js';
import { limits } from '../../../src/base/limits.js';
import { TurnBudget } from '../../../src/base/node/turn-budget.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { BatchReadRequestSchema } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { freshBlob } from '../../conformance/wire-blobs.js';

it('lets others have their turns between the reads of a store that never waits', async () => {
  const store = new MemoryStore();
  const blob = freshBlob(10);
  await store.write(blob.bytes);
  const digests = Array.from({ length: limits.batchItemsCountMax }, () => blob.message);
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const { items } = await batchRead(
    { store, lookups: new TurnBudget(limits.lookupSliceCountMax) },
    create(BatchReadRequestSchema, { digests }),
    {
      signal: new AbortController().signal,
      errors: { logger: { error: () => {}, warn: () => {} }, method: '', callId: '', outOfRange: Code.OutOfRange },
      json: false,
      held: undefined,
    },
  );
  isDone = true;
  expect(items.every(({ data }) => Buffer.from(blob.bytes).equals(data))).toBe(true);
  // A hundred small blobs in a turn are a millisecond or two.
  expect(turns).toBeGreaterThan(limits.batchItemsCountMax / 100);
});
