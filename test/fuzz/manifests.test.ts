// Damaged manifests and saved builders: a clean refusal, or exactly what was encoded, never anything else.

import { describe, expect } from 'vitest';
import { type Digest, toDigest, toHash } from '../../src/base/digest.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { parseChunkId } from '../../src/chunk/chunk.js';
import { ManifestBuilder } from '../../src/chunk/manifest-builder.js';
import { decodeManifestNode, encodeBranch, encodeLeaf } from '../../src/chunk/manifest-node.js';
import { checkFileName } from '../../src/file/file-name.js';
import type { SeededRandom } from '../support/random.js';
import { answerOf, itFuzz, mutateBytes, mutateText } from './fuzzing.js';

function someChunks(random: SeededRandom) {
  const digest = (): Digest => toDigest(toHash(random.bytes(32)), random.between(1, 2 ** 31));
  return Array.from({ length: random.below(6) }, () => ({ digest: digest(), sha256: random.bytes(32) }));
}

function someParts(random: SeededRandom, level: number) {
  const full = 512 ** level;
  const parts = Array.from({ length: random.below(4) }, () => full);
  return [...parts, random.between(1, full)].map((chunkCount) => {
    return { node: toHash(random.bytes(32)), bytes: random.below(2 ** 31), chunkCount };
  });
}

describe('manifests', () => {
  itFuzz('decodeManifestNode', { rounds: 20_000 }, (random) => {
    const level = random.below(3);
    const bytes = mutateBytes(
      random,
      level === 0 ? encodeLeaf(someChunks(random)) : encodeBranch(level, someParts(random, level)),
    );
    const node = answerOf(() => decodeManifestNode(bytes), 'corrupt');
    if (node === undefined) return;
    const again = 'chunks' in node ? encodeLeaf(node.chunks) : encodeBranch(node.level, node.parts);
    expect(Buffer.compare(again, bytes)).toBe(0);
  });

  itFuzz('ManifestBuilder.restore', { rounds: 5000 }, (random) => {
    const store = new MemoryStore();
    const nodes = [encodeLeaf(someChunks(random)), encodeBranch(1, someParts(random, 1))];
    const saved = Buffer.concat(
      nodes.flatMap((node) => [Uint8Array.of(node.length & 255, node.length >> 8, 0, 0), node]),
    );
    const bytes = mutateBytes(random, saved);
    const builder = answerOf(() => ManifestBuilder.restore(store, bytes), 'corrupt');
    if (builder !== undefined && bytes.length > 0) expect(Buffer.compare(builder.save(), bytes)).toBe(0);
  });

  itFuzz('parseChunkId', { rounds: 5000 }, (random) => {
    const text = mutateText(random, [`c_${'0123456789abcdef'.repeat(4)}`], '0123456789abcdefABCDEFxc_');
    const hash = answerOf(() => parseChunkId(text), 'invalid_argument');
    if (hash !== undefined) expect(`c_${Buffer.from(hash).toString('hex')}`).toBe(text.toLowerCase());
  });

  itFuzz('checkFileName', { rounds: 5000 }, (random) => {
    const name = mutateText(random, ['a/b', '../x', 'a\0b', '\ud800', '日本', 'x'.repeat(1024)], 'ab/.\\\0\n日');
    const taken = answerOf(() => checkFileName(name) ?? true, 'invalid_argument');
    if (taken !== undefined) expect(Buffer.from(name).toString()).toBe(name);
  });
});
