// What every engine of the metadata promises, as tests: run it over each.

import { describe } from 'vitest';
import type { KvUnderTest } from './kv-kit.js';
import { modelTests } from './kv-model.js';
import { readTests } from './kv-read.js';
import { txnTests } from './kv-txn.js';
import { watchTests } from './kv-watch.js';

export function kvSuite(subject: KvUnderTest): void {
  describe(subject.name, () => {
    describe('reads', () => readTests(subject));
    describe('transactions', () => txnTests(subject));
    describe('watches and compaction', () => watchTests(subject));
    describe('random lives', () => modelTests(subject));
  });
}
