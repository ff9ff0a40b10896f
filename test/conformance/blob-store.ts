// What every `BlobStore` promises, as tests: run it over each implementation. Differences are declared in `supports`.

import { describe } from 'vitest';
import type { OpenedStore, StoreSupports } from './blob-store-kit.js';
import { lifecycleTests } from './blob-store-lifecycle.js';
import { listTests } from './blob-store-list.js';
import { modelTests } from './blob-store-model.js';
import { raceTests } from './blob-store-races.js';
import { readTests } from './blob-store-read.js';
import { writeTests } from './blob-store-write.js';
import { writeManyTests } from './blob-store-write-many.js';

export function blobStoreSuite(name: string, open: () => Promise<OpenedStore>, supports: StoreSupports): void {
  const subject = { ...supports, name, open };
  describe(name, () => {
    describe('write', () => writeTests(subject));
    describe('write many', () => writeManyTests(subject));
    describe('writers at once', () => raceTests(subject));
    describe('read', () => readTests(subject));
    describe('stat, list, usage', () => listTests(subject));
    describe('delete, close, reopen', () => lifecycleTests(subject));
    describe('random operations', () => modelTests(subject));
  });
}
