import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { DigestList } from '../../../../src/api/rpc/lane/digest-list.js';
import { NegotiateBlobsRequestSchema, NegotiateBlobsResponseSchema } from '../../../../src/gen/zako/v1/cas/cas_pb.js';
import { seededRandom, testSeed } from '../../../support/random.js';

const random = seededRandom(testSeed('digest list'));
const sizes = [0, 1, 127, 128, 16_383, 16_384, 2 ** 32, 2 ** 53 - 1];

function encoded(blobDigests: { sizeBytes: bigint; blake3: Uint8Array }[]): Uint8Array {
  return toBinary(NegotiateBlobsRequestSchema, create(NegotiateBlobsRequestSchema, { blobDigests }));
}

const atOnce = () => undefined;

it.each<[string, (bytes: Uint8Array) => DigestList | undefined | Promise<DigestList | undefined>]>([
  ['at once', DigestList.parse],
  ['in steps', (bytes) => DigestList.parseInSteps(bytes, atOnce)],
])('reads %s what the encoder writes, and gives back what is chosen of it', async (_, parse) => {
  const digests = sizes.map((size) => ({ sizeBytes: BigInt(size), blake3: random.bytes(32) }));
  const list = (await parse(encoded(digests)))!;
  expect(list.count).toBe(sizes.length);
  for (const [index, size] of sizes.entries()) {
    expect(list.at(index).size).toBe(size);
    expect(Buffer.from(list.at(index).hash)).toEqual(Buffer.from(digests[index]!.blake3));
  }
  const chosen = [0, 3, 7];
  const envelope = Buffer.from(await list.encode(chosen, atOnce));
  expect(envelope.readUInt32BE(1)).toBe(envelope.length - 5);
  const { missingBlobDigests } = fromBinary(NegotiateBlobsResponseSchema, envelope.subarray(5));
  expect(missingBlobDigests).toMatchObject(chosen.map((index) => ({ sizeBytes: BigInt(sizes[index]!) })));
});

it('asks before each step through a long list', async () => {
  const digests = Array.from({ length: 10_000 }, (_, size) => ({ sizeBytes: BigInt(size), blake3: random.bytes(32) }));
  let steps = 0;
  const step = async () => void steps++;
  const list = (await DigestList.parseInSteps(encoded(digests), step))!;
  expect(list.count).toBe(digests.length);
  expect(steps).toBe(3);
  const all = Array.from(digests.keys());
  const { missingBlobDigests } = fromBinary(NegotiateBlobsResponseSchema, (await list.encode(all, step)).subarray(5));
  expect(missingBlobDigests.map(({ sizeBytes }) => Number(sizeBytes))).toEqual(all);
  expect(steps).toBe(6);
});

it('takes an empty list', async () => {
  const list = DigestList.parse(new Uint8Array(0))!;
  expect(list.count).toBe(0);
  expect([...(await list.encode([], atOnce))]).toEqual([0, 0, 0, 0, 0]);
});

const hash = [0x12, 32, ...new Uint8Array(32)];

it.each<[string, number[]]>([
  ['a digest without a hash', [0x0a, 2, 8, 1]],
  ['an empty digest', [0x0a, 0]],
  ['another field', [0x12, 34, ...hash]],
  ['a zero that is spelled out', [0x0a, 36, 8, 0, ...hash]],
  ['a needless byte in a size', [0x0a, 37, 8, 0x81, 0, ...hash]],
  ['two numbers for a size', [0x0a, 37, 8, 1, 1, ...hash]],
  ['a size of 2⁵³', [0x0a, 43, 8, ...Array(7).fill(0x80), 16, ...hash]],
  ['a size field without a number', [0x0a, 35, 8, ...hash]],
  ['a hash of 31 bytes', [0x0a, 33, 0x12, 31, ...new Uint8Array(31)]],
  ['an end in the middle', [0x0a, 34, ...hash.slice(1)]],
  ['a tag alone', [0x0a]],
])('leaves %s to the general decoder', async (_, bytes) => {
  expect(DigestList.parse(Uint8Array.from(bytes))).toBeUndefined();
  expect(await DigestList.parseInSteps(Uint8Array.from(bytes), atOnce)).toBeUndefined();
});
