import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { RunList } from '../../src/base/run-list.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';

describe('RunList', () => {
  it('holds the bytes that came, however they were cut and whatever was taken in between', () => {
    const random = seededRandom(testSeed('run-list'));
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(random.bytes(random.below(60_000)));
      const list = new RunList();
      const taken: Uint8Array[] = [];
      for (const piece of randomSplit(random, bytes, random.pick([1, 3, 100, 2000, 20_000]))) {
        list.push(piece);
        while (list.runs.length > 0 && random.below(5) === 0) {
          taken.push(Uint8Array.from(list.runs[0]!));
          list.shift();
        }
      }
      expect(Buffer.concat([...taken, ...list.runs]).equals(bytes)).toBe(true);
    }
  });

  it.each([
    { name: 'one byte', lengths: [1] },
    { name: 'what is just copied', lengths: [limits.copiedRunBytesMax] },
    { name: 'short and long by turns', lengths: [1, limits.copiedRunBytesMax + 1] },
    { name: 'nearly half a block', lengths: [limits.copiedRunBytesMax - 1, 3] },
  ])('takes memory for the bytes, and not for the runs: $name', ({ lengths }) => {
    const list = new RunList();
    let bytes = 0;
    for (let i = 0; bytes < 1_000_000; i++) {
      const run = new Uint8Array(lengths[i % lengths.length]!);
      list.push(run);
      bytes += run.length;
    }
    const most = limits.uncopiedRunsCountMax + (2 * bytes) / limits.copiedRunBytesMax;
    expect(list.runs.length).toBeLessThan(most);
    const memory = [...new Set(list.runs.map(({ buffer }) => buffer))].reduce((sum, each) => sum + each.byteLength, 0);
    expect(memory).toBeLessThan(1.2 * bytes + limits.copiedRunsBlockBytes);
  });

  it('hands out the first few as they came', () => {
    const list = new RunList();
    const run = new Uint8Array(10);
    list.push(run);
    expect(list.runs[0]).toBe(run);
  });
});
