// Both engines against the published vectors and our own known answers, at once and in pieces.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hashHex } from '../../src/base/digest.js';
import type { HashEngine } from '../../src/blake3/hash-engine.js';
import { createHasher, digestBlob, hashBytes, hashEngine } from '../../src/blake3/hasher.js';
import { nativeEngine } from '../../src/blake3/native-engine.js';
import { wasmEngine } from '../../src/blake3/wasm-engine.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';
import { knownAnswers, knownInput } from './known-answers.js';

interface Answer {
  readonly input: Uint8Array;
  readonly hash: string;
}

/** The published file gives a length of the sequence 0, 1, …, 250, 0, … and an extended output of which 32 bytes count. */
function publishedAnswers(path: string): Answer[] {
  const file: { cases: { input_len: number; hash: string }[] } = JSON.parse(readFileSync(path, 'utf8'));
  return file.cases.map(({ input_len: length, hash }) => ({
    input: Uint8Array.from({ length }, (_, i) => i % 251),
    hash: hash.slice(0, 64),
  }));
}

const ours: Answer[] = knownAnswers.map(({ length, hash }) => ({ input: knownInput(length), hash }));

function vectorSuite(engine: HashEngine, answers: readonly Answer[]): void {
  const random = seededRandom(testSeed(`vectors of ${engine.name}`));

  it.each(answers)('hashes $input.length bytes at once', ({ input, hash }) => {
    expect(hashHex(engine.hash(input))).toBe(hash);
  });

  it.each(answers)('hashes $input.length bytes in pieces', ({ input, hash }) => {
    for (const pieceBytesMax of [70, 1025, 70_000]) {
      if (input.length / pieceBytesMax > 2000) continue;
      const hasher = engine.createHasher();
      for (const piece of randomSplit(random, input, pieceBytesMax)) hasher.update(piece);
      const digest = hasher.digest();
      expect(hashHex(digest.hash)).toBe(hash);
      expect(digest.size).toBe(input.length);
    }
  });
}

describe('our known answers', () => {
  it('cover every edge and are all different', () => {
    expect(ours.length).toBeGreaterThan(36);
    expect(new Set(ours.map(({ hash }) => hash)).size).toBe(ours.length);
  });
  describe('wasm', () => vectorSuite(wasmEngine, ours));
  describeWith('native', '@napi-rs/blake-hash', nativeEngine, (engine) => vectorSuite(engine, ours));
  describe('chosen engine', () => {
    it.each(ours)('hashes $input.length bytes', ({ input, hash }) => {
      expect(hashHex(hashBytes(input))).toBe(hash);
      expect(hashHex(digestBlob(input).hash)).toBe(hash);
      expect(digestBlob(input).size).toBe(input.length);
      const hasher = createHasher();
      hasher.update(input);
      expect(hashHex(hasher.digest().hash)).toBe(hash);
    });
    it('is the native one where it loads', () => {
      expect(hashEngine).toBe(nativeEngine ?? wasmEngine);
    });
  });
});

describeWith('published vectors', 'vectors/blake3.json', sharedPath('vectors/blake3.json'), (path) => {
  const answers = publishedAnswers(path);
  it('are all there', () => expect(answers.length).toBeGreaterThan(30));
  describe('wasm', () => vectorSuite(wasmEngine, answers));
  describeWith('native', '@napi-rs/blake-hash', nativeEngine, (engine) => vectorSuite(engine, answers));
});
