// How hashers behave, apart from the digests they give: views, re-used buffers, many at once, ending early.

import { describe, expect, it } from 'vitest';
import { hashHex } from '../../src/base/digest.js';
import type { HashEngine, Hasher } from '../../src/blake3/hash-engine.js';
import { nativeEngine } from '../../src/blake3/native-engine.js';
import { wasmEngine } from '../../src/blake3/wasm-engine.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';
import { describeWith } from '../support/shared.js';

function hasherSuite(engine: HashEngine): void {
  const random = seededRandom(testSeed(`hashers of ${engine.name}`));

  it('hashes what a view shows, not the buffer behind it', () => {
    const buffer = random.bytes(5000);
    const view = buffer.subarray(1003, 3210);
    const want = hashHex(engine.hash(view.slice()));
    expect(hashHex(engine.hash(view))).toBe(want);
    expect(hashHex(engine.hash(Buffer.from(buffer.buffer, buffer.byteOffset + 1003, 2207)))).toBe(want);
    const hasher = engine.createHasher();
    hasher.update(view);
    expect(hashHex(hasher.digest().hash)).toBe(want);
  });

  it('does not keep a piece', () => {
    const bytes = random.bytes(200_000);
    const scratch = new Uint8Array(70_000);
    const hasher = engine.createHasher();
    for (const piece of randomSplit(random, bytes, scratch.length)) {
      scratch.set(piece);
      hasher.update(scratch.subarray(0, piece.length));
      scratch.fill(0xee);
    }
    expect(hashHex(hasher.digest().hash)).toBe(hashHex(engine.hash(bytes)));
  });

  it('gives each answer memory of its own', () => {
    const bytes = random.bytes(100);
    const first = engine.hash(bytes);
    const text = hashHex(first);
    engine.hash(random.bytes(100));
    expect(hashHex(first)).toBe(text);
    first.fill(0);
    expect(hashHex(engine.hash(bytes))).toBe(text);
    expect(first.buffer.byteLength).toBe(32);
  });

  it('keeps many hashers apart', () => {
    const inputs = Array.from({ length: 50 }, (_, i) => random.bytes(1000 + 100 * i));
    const hashers = inputs.map(() => engine.createHasher());
    for (let at = 0; at < 6000; at += 500) {
      for (const [i, hasher] of hashers.entries()) hasher.update(inputs[i]!.subarray(at, at + 500));
    }
    for (const [i, hasher] of hashers.entries()) {
      expect(hashHex(hasher.digest().hash)).toBe(hashHex(engine.hash(inputs[i]!)));
    }
  });

  it('discards an unfinished hasher without harm to others', () => {
    const bytes = random.bytes(10_000);
    const kept = engine.createHasher();
    kept.update(bytes);
    const discarded: Hasher[] = [];
    for (let i = 0; i < 100; i++) {
      const hasher = engine.createHasher();
      hasher.update(bytes);
      discarded.push(hasher);
    }
    for (const hasher of discarded) hasher.discard();
    expect(hashHex(kept.digest().hash)).toBe(hashHex(engine.hash(bytes)));
  });

  it('frees what an ended hasher held', async () => {
    // A state is about 2 KB: without freeing, these would need more than 300 MB.
    const piece = random.bytes(64);
    const spin = async (count: number, end: (hasher: Hasher) => void) => {
      for (let i = 0; i < count; i++) {
        const hasher = engine.createHasher();
        hasher.update(piece);
        end(hasher);
        // Native states go with the garbage, between two turns of the event loop.
        if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await spin(2000, (hasher) => hasher.discard());
    const before = process.memoryUsage.rss();
    await spin(100_000, (hasher) => hasher.discard());
    await spin(50_000, (hasher) => void hasher.digest());
    expect(process.memoryUsage.rss() - before).toBeLessThan(120 * 1024 * 1024);
  });
}

describe('wasm', () => hasherSuite(wasmEngine));
describeWith('native', '@napi-rs/blake-hash', nativeEngine, hasherSuite);
