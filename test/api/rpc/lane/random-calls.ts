// Random calls of the lane's methods: most of them nearly right, each with its mistakes, told in words so that a failure can be read.

import { gzipSync } from 'node:zlib';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { limits } from '../../../../src/base/limits.js';
import {
  type BatchWriteRequest_ItemSchema,
  BatchWriteRequestSchema,
} from '../../../../src/gen/cairn/v1/blob_service_pb.js';
import {
  CommitTxnRequestSchema,
  GetKeyRequestSchema,
  MetaComparison,
  RangeKeysRequestSchema,
} from '../../../../src/gen/cairn/v1/meta_service_pb.js';
import { NegotiateBlobsRequestSchema } from '../../../../src/gen/zako/v1/cas/cas_pb.js';
import { DownloadRequestSchema, UploadRequestSchema } from '../../../../src/gen/zako/v1/transport/transport_pb.js';
import { chunkMessage, metadataMessage, namedBlob, type TestBlob } from '../../../conformance/wire-blobs.js';
import { randomSplit, type SeededRandom } from '../../../support/random.js';
import type { RawCall } from './raw-call.js';

export interface RandomCall extends Omit<RawCall, 'headers'> {
  readonly story: string;
  readonly headers: Record<string, string>;
  /** Present a token: one that this server made, used once before, or a stranger's. */
  readonly token: 'none' | 'fresh' | 'spent' | 'foreign';
}

/** Blobs that both servers have. `damaged` fails to be read beyond its first bytes; `refused` fails to be written. */
export interface KnownBlobs {
  readonly stored: readonly TestBlob[];
  readonly damaged: TestBlob;
  readonly refused: TestBlob;
}

const protocols = [
  { name: 'grpc', types: ['application/grpc', 'application/grpc+proto'], encoding: 'grpc-encoding', endFlag: 0 },
  {
    name: 'grpc-web',
    types: ['application/grpc-web', 'application/grpc-web+proto'],
    encoding: 'grpc-encoding',
    endFlag: 0x80,
  },
  { name: 'connect', types: ['application/connect+proto'], encoding: 'connect-content-encoding', endFlag: 2 },
] as const;

type Protocol = (typeof protocols)[number];

const methods = [
  { service: 'zako.v1.transport.Transport', name: 'Download', messages: downloadMessages },
  { service: 'zako.v1.transport.Transport', name: 'Upload', messages: uploadMessages },
  { service: 'zako.v1.cas.ContentAddressableStorage', name: 'NegotiateBlobs', messages: negotiateMessages },
  { service: 'cairn.v1.BlobService', name: 'FindMissing', messages: findMissingMessages },
  { service: 'cairn.v1.BlobService', name: 'BatchRead', messages: batchReadMessages },
  { service: 'cairn.v1.BlobService', name: 'BatchWrite', messages: batchMessages },
  { service: 'cairn.v1.MetaService', name: 'GetKey', messages: getMessages },
  { service: 'cairn.v1.MetaService', name: 'RangeKeys', messages: rangeMessages },
  { service: 'cairn.v1.MetaService', name: 'CommitTxn', messages: txnMessages },
] as const;

const strangeTypes = ['application/grpc+json', 'application/proto', 'text/plain', 'application/grpc-web-text', ''];

/** The first mistake with its chance, or none. */
function oneOf<T>(random: SeededRandom, chance: number, mistakes: readonly T[]): T | undefined {
  return random.chance(chance) ? random.pick(mistakes) : undefined;
}

export function randomCall(random: SeededRandom, known: KnownBlobs): RandomCall {
  const protocol = random.pick(protocols);
  const version = random.pick(['h1', 'h2', 'h2'] as const);
  const method = random.pick(methods);
  const story: string[] = [version, protocol.name, method.name];
  const headers: Record<string, string> = { 'content-type': random.pick(protocol.types), te: 'trailers' };
  const type = oneOf(random, 0.03, strangeTypes);
  if (type !== undefined) {
    headers['content-type'] = type;
    story.push(`type ${type}`);
  }
  const isGzipped = random.chance(0.15);
  if (isGzipped) headers[protocol.encoding] = 'gzip';
  const envelope = (bytes: Uint8Array) =>
    isGzipped && random.chance(0.7) ? framed(1, gzipSync(bytes)) : framed(0, bytes);

  const deadline = random.chance(0.1);
  const isValid = deadline || random.chance(0.4);
  if (deadline) addDeadline(random, protocol, headers, story);
  const messages = method.messages(random, known, isValid, story);
  const envelopes = messages.map(envelope);
  if (!isValid) spoil(random, protocol, headers, envelopes, story);
  let body: Uint8Array = Buffer.concat(envelopes);
  // The lane refuses a chunk that goes beyond the declared size at its head, the stock handler when it is whole.
  const isExcess = story.includes('too many bytes') || story.includes('two payloads in one');
  if (!isValid && !isExcess && body.length > 6 && random.chance(0.2)) {
    body = truncated(random, envelopes, body);
    story.push(`cut to ${body.length} bytes`);
  }
  const verb = random.chance(0.02) ? 'PUT' : 'POST';
  const token = random.pick(['none', 'fresh', 'spent', 'foreign'] as const);
  const then = random.chance(0.06) ? 'reset' : 'end';
  story.push(verb, then, `token ${token}`);
  return {
    story: story.join(', '),
    version,
    path: `/${method.service}/${method.name}`,
    method: verb,
    headers,
    pieces: pieces(random, body, story),
    then,
    token,
  };
}

function pieces(random: SeededRandom, body: Uint8Array, story: string[]): Uint8Array[] {
  const kind = random.pick(['whole', 'random', 'bytes'] as const);
  story.push(`${body.length} bytes in ${kind}`);
  if (kind === 'whole') return [body];
  if (kind === 'bytes' && body.length < 150) return Array.from(body, (_, at) => body.subarray(at, at + 1));
  return randomSplit(random, body, Math.max(3, Math.ceil(body.length / 8))).filter(({ length }) => length > 0);
}

function framed(flags: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function addDeadline(random: SeededRandom, protocol: Protocol, headers: Record<string, string>, story: string[]): void {
  const isConnect = protocol.name === 'connect';
  const value = isConnect
    ? random.pick(['30000', '0', '-1', '1.5', '12345678901', ''])
    : random.pick(['30S', '1H', '0m', '20', 'S', '123456789S', '30000000u', '-1S']);
  headers[isConnect ? 'connect-timeout-ms' : 'grpc-timeout'] = value;
  story.push(`deadline ${JSON.stringify(value)}`);
}

function downloadMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const blob = random.pick(known.stored);
  const size = BigInt(blob.digest.size);
  const ask = (digest: object, range?: { start: bigint; length?: bigint }) =>
    toBinary(DownloadRequestSchema, create(DownloadRequestSchema, { metadata: { digest, ...(range && { range }) } }));
  if (isValid) {
    const start = BigInt(random.between(0, blob.digest.size));
    const length = BigInt(random.between(0, blob.digest.size - Number(start)));
    story.push(`of ${size} bytes from ${start}`);
    return [
      random.pick([
        () => ask(blob.message),
        () => ask(blob.message, { start }),
        () => ask(blob.message, { start, length }),
      ])(),
    ];
  }
  const mistakes: Record<string, () => Uint8Array[]> = {
    'no message': () => [],
    'two messages': () => [ask(blob.message), ask(blob.message)],
    'an empty message': () => [new Uint8Array(0)],
    'no such blob': () => [ask({ sizeBytes: 10n, blake3: random.bytes(32) })],
    'another size': () => [ask({ ...blob.message, sizeBytes: size + 1n })],
    'a short hash': () => [ask({ sizeBytes: size, blake3: random.bytes(random.below(40)) })],
    'a large size': () => [ask({ ...blob.message, sizeBytes: 1n << 60n })],
    'a range outside': () => [ask(blob.message, { start: size, length: 1n })],
    'a far range': () => [ask(blob.message, { start: (1n << 64n) - 1n, length: (1n << 64n) - 1n })],
    'a damaged blob': () => [ask(known.damaged.message)],
    garbage: () => [random.bytes(random.between(1, 40))],
    'unknown fields': () => [Buffer.concat([ask(blob.message), Buffer.from([0xa0, 0x06, 0x01])])],
  };
  const mistake = random.pick(Object.keys(mistakes));
  story.push(mistake);
  return mistakes[mistake]!();
}

function uploadMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const size = random.pick([0, 1, 7, 100, 127, 128, 129, 5000, 70_000, 200_000]);
  const blob = namedBlob(random.bytes(size));
  const encode = (message: ReturnType<typeof metadataMessage>) =>
    toBinary(UploadRequestSchema, create(UploadRequestSchema, message));
  const metadata = encode(metadataMessage(blob.message));
  const chunks = (bytes: Uint8Array) =>
    randomSplit(random, bytes, Math.max(2, size)).map((chunk) => encode(chunkMessage(chunk)));
  story.push(`of ${size} bytes`);
  if (isValid) return [metadata, ...chunks(blob.bytes)];
  const stored = random.pick(known.stored);
  const other = random.bytes(size + 1);
  const mistakes: Record<string, () => Uint8Array[]> = {
    'no message': () => [],
    'no metadata': () => chunks(blob.bytes),
    'metadata twice': () => [metadata, metadata, ...chunks(blob.bytes)],
    'no digest': () => [encode(metadataMessage(undefined)), ...chunks(blob.bytes)],
    'a short hash': () => [encode(metadataMessage({ sizeBytes: 5n, blake3: random.bytes(31) }))],
    'too large a blob': () => [encode(metadataMessage({ sizeBytes: 1n << 52n, blake3: random.bytes(32) }))],
    'a range': () => [encode(metadataMessage(blob.message, { start: 0n, length: BigInt(size) + 1n }))],
    'the whole as range': () => [
      encode(metadataMessage(blob.message, { start: 0n, length: BigInt(size) })),
      ...chunks(blob.bytes),
    ],
    'an empty payload': () => [metadata, new Uint8Array(0), ...chunks(blob.bytes)],
    'other bytes': () => [metadata, ...chunks(other.subarray(0, size))],
    'too few bytes': () => [metadata, ...chunks(blob.bytes.subarray(1))],
    'too many bytes': () => [metadata, ...chunks(other)],
    'a stored blob': () => [encode(metadataMessage(stored.message)), ...chunks(stored.bytes)],
    'a stored hash of another size': () => [
      encode(metadataMessage({ ...stored.message, sizeBytes: stored.message.sizeBytes + 1n })),
    ],
    'a store that refuses': () => [encode(metadataMessage(known.refused.message)), ...chunks(known.refused.bytes)],
    garbage: () => [metadata, random.bytes(random.between(1, 40)), ...chunks(blob.bytes)],
    'garbage first': () => [random.bytes(random.between(1, 40)), ...chunks(blob.bytes)],
    'chunks spelled oddly': () => [metadata, ...chunks(blob.bytes).map((chunk) => oddly(random, chunk))],
    'two payloads in one': () => [
      metadata,
      Buffer.concat([metadata, ...chunks(blob.bytes.subarray(0, 1)), ...chunks(blob.bytes).slice(0, 1)]),
      ...chunks(blob.bytes).slice(1),
    ],
  };
  const mistake = random.pick(Object.keys(mistakes));
  story.push(mistake);
  return mistakes[mistake]!();
}

function negotiateMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const field = (digest: Uint8Array) => Buffer.concat([Buffer.from([0x0a, digest.length]), digest]);
  const digestOf = ({ sizeBytes, blake3 }: { sizeBytes: bigint; blake3: Uint8Array }) =>
    toBinary(
      NegotiateBlobsRequestSchema,
      create(NegotiateBlobsRequestSchema, { blobDigests: [{ sizeBytes, blake3 }] }),
    );
  const sizes = [0n, 1n, 127n, 128n, 16_384n, 1n << 40n, (1n << 53n) - 1n];
  const sizeOf = () => random.pick(sizes);
  const shown = Array.from({ length: random.below(6) }, () =>
    digestOf({ sizeBytes: sizeOf(), blake3: random.bytes(32) }),
  );
  const ordinary = (): Uint8Array => {
    const stored = random.pick(known.stored).message;
    if (random.chance(0.3)) return digestOf(stored);
    if (random.chance(0.2)) return digestOf({ ...stored, sizeBytes: stored.sizeBytes + 1n });
    if (random.chance(0.3) && shown.length > 0) return random.pick(shown);
    return digestOf({ sizeBytes: sizeOf(), blake3: random.bytes(32) });
  };
  const hash = Buffer.concat([Buffer.from([0x12, 32]), random.bytes(32)]);
  const odd: Record<string, () => Uint8Array> = {
    'an empty digest': () => field(new Uint8Array(0)),
    'a short hash': () => digestOf({ sizeBytes: 5n, blake3: random.bytes(random.below(40)) }),
    'a large size': () => digestOf({ sizeBytes: 1n << 53n, blake3: random.bytes(32) }),
    'a size beyond 64 bits': () => field(Buffer.concat([Buffer.from([8, ...Array(9).fill(0xff), 3]), hash])),
    'a size of zero, spelled out': () => field(Buffer.concat([Buffer.from([8, 0]), hash])),
    'a size with a needless byte': () => field(Buffer.concat([Buffer.from([8, 0x85, 0]), hash])),
    'hash before size': () => field(Buffer.concat([hash, Buffer.from([8, 5])])),
    'two hashes': () => field(Buffer.concat([hash, hash])),
    'an unknown field in a digest': () => field(Buffer.concat([hash, Buffer.from([0xa0, 6, 1])])),
    'an unknown field': () => Buffer.from([0xa0, 6, 1]),
    'a length beyond the end': () => Buffer.from([0x0a, 36, 8, 5]),
    'a long length': () => Buffer.concat([Buffer.from([0x0a, 0xa2, 0]), hash]),
    garbage: () => random.bytes(random.between(1, 40)),
  };
  const messages = Array.from({ length: random.below(4) }, () => Array.from({ length: random.below(12) }, ordinary));
  story.push(`of ${messages.map(({ length }) => length).join('+')} digests`);
  const [first] = messages;
  if (!isValid && first !== undefined) {
    const mistake = random.pick(Object.keys(odd));
    story.push(mistake);
    random.pick(messages).splice(random.below(first.length + 1), 0, odd[mistake]!());
  }
  return messages.map((digests) => Buffer.concat(digests));
}

/** A list of digests, as in a negotiation; once in a while not one message. */
function findMissingMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const lists = negotiateMessages(random, known, isValid, story);
  return isValid || random.chance(0.8) ? [lists[0] ?? new Uint8Array(0)] : lists;
}

/** The same, mostly of blobs that are there. */
function batchReadMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const lists = findMissingMessages(random, known, isValid, story);
  if (lists.length !== 1 || (!isValid && random.chance(0.5))) return lists;
  const isWhole = random.chance(0.6);
  const count = random.between(0, 6);
  const asked = Array.from({ length: count }, () => {
    const { message } = random.pick(random.chance(0.9) ? known.stored : [known.damaged, known.refused]);
    const digest = isWhole || random.chance(0.8) ? message : { ...message, sizeBytes: message.sizeBytes + 1n };
    return toBinary(NegotiateBlobsRequestSchema, create(NegotiateBlobsRequestSchema, { blobDigests: [digest] }));
  });
  story.push(`and ${count} known ones`);
  return [Buffer.concat(isWhole ? asked : [...asked, ...lists])];
}

function batchMessages(random: SeededRandom, known: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  type Item = MessageInitShape<typeof BatchWriteRequest_ItemSchema>;
  const encode = (item: Item) => {
    return toBinary(BatchWriteRequestSchema, create(BatchWriteRequestSchema, { items: [item] }));
  };
  const itemOf = ({ message, bytes }: TestBlob): Item => ({ digest: message, data: bytes });
  const fresh = Array.from({ length: random.between(1, 6) }, () => {
    return namedBlob(random.bytes(random.pick([0, 1, 90, 127, 128, 5000, 65_536, 70_000])));
  });
  const ordinary = () => encode(itemOf(random.pick(random.chance(0.3) ? known.stored.slice(0, 5) : fresh)));
  const blob = random.pick(fresh);
  const digestField = Buffer.concat([Buffer.from([0x0a, 34, 0x12, 32]), random.bytes(32)]);
  const framedItem = (...fields: Uint8Array<ArrayBuffer>[]) => {
    const item = Buffer.concat(fields);
    return Buffer.concat([Buffer.from([0x0a, item.length]), item]);
  };
  const odd: Record<string, () => Uint8Array> = {
    'an empty item': () => encode({}),
    'no digest': () => encode({ data: blob.bytes }),
    'an empty digest': () => encode({ digest: {}, data: blob.bytes }),
    'a short hash': () => encode({ digest: { sizeBytes: 5n, blake3: random.bytes(31) }, data: random.bytes(5) }),
    'another size': () => encode({ digest: { ...blob.message, sizeBytes: 7n }, data: blob.bytes }),
    'a large size': () => encode({ digest: { ...blob.message, sizeBytes: 1n << 53n }, data: blob.bytes }),
    'another hash': () => encode({ digest: { ...blob.message, blake3: random.bytes(32) }, data: blob.bytes }),
    'no data': () => encode({ digest: { sizeBytes: 5n, blake3: random.bytes(32) } }),
    'a store that refuses': () => encode(itemOf(known.refused)),
    'the same blob twice': () => Buffer.concat([encode(itemOf(blob)), encode(itemOf(blob))]),
    'data before digest': () => framedItem(Buffer.from([0x12, 1, 7]), digestField),
    'two digests': () => framedItem(digestField, digestField, Buffer.from([0x12, 1, 7])),
    'data twice': () => framedItem(digestField, Buffer.from([0x12, 1, 7, 0x12, 1, 8])),
    'an unknown field in an item': () => framedItem(digestField, Buffer.from([0x12, 1, 7, 0xa0, 6, 1])),
    'an unknown field': () => Buffer.from([0xa0, 6, 1]),
    'a length beyond the end': () => Buffer.from([0x0a, 36, 0x0a, 5]),
    'a digest beyond its item': () => Buffer.from([0x0a, 2, 0x0a, 34, 0x12, 32, ...random.bytes(32)]),
    garbage: () => random.bytes(random.between(1, 40)),
  };
  const items: Uint8Array[] = Array.from({ length: random.between(1, 8) }, ordinary);
  story.push(`of ${items.length} items`);
  if (isValid) return [Buffer.concat(items)];
  if (random.chance(0.2)) {
    story.push('not one message');
    return random.chance(0.5) ? [] : [Buffer.concat(items), random.pick([ordinary(), random.bytes(9)])];
  }
  const mistake = random.pick(Object.keys(odd));
  story.push(mistake);
  items.splice(random.below(items.length + 1), 0, odd[mistake]!());
  return [Buffer.concat(items)];
}

/** Keys that both servers have, and one that they lack; nothing here changes them. */
export const knownKeys = ['file/a', 'file/b', 'file/large', 'auth/secret'];
const askedKeys = [...knownKeys, 'file/none'].map((key) => Buffer.from(key));

function getMessages(random: SeededRandom, _: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  const ask = (fields: MessageInitShape<typeof GetKeyRequestSchema>) =>
    toBinary(GetKeyRequestSchema, create(GetKeyRequestSchema, { key: random.pick(askedKeys), ...fields }));
  const odd = { 'no key': { key: new Uint8Array(0) }, 'a revision to come': { revision: 10_000n } };
  return mistakenOr(random, isValid, story, () => ask({ stale: random.chance(0.5) }), odd, ask);
}

function rangeMessages(random: SeededRandom, _: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  interface Fields {
    readonly range?: { readonly start?: Uint8Array; readonly end?: Uint8Array };
    readonly limit?: number;
    readonly keysOnly?: boolean;
  }
  const range = { start: Buffer.from('a'), end: random.pick([Buffer.from('z'), new Uint8Array(0)]) };
  const ask = (fields: Fields) =>
    toBinary(RangeKeysRequestSchema, create(RangeKeysRequestSchema, { range, ...fields }));
  const ordinary = () => ask({ limit: random.below(4), keysOnly: random.chance(0.5) });
  const odd: Record<string, Fields> = {
    'no start': { range: {} },
    'an end before the start': { range: { start: Buffer.from('b'), end: Buffer.from('a') } },
    'a long key': { range: { start: new Uint8Array(limits.kvKeyBytesMax + 1) } },
  };
  return mistakenOr(random, isValid, story, ordinary, odd, ask);
}

/** Transactions that change nothing. */
function txnMessages(random: SeededRandom, _: KnownBlobs, isValid: boolean, story: string[]): Uint8Array[] {
  type Fields = MessageInitShape<typeof CommitTxnRequestSchema>;
  const ask = (fields: Fields) => toBinary(CommitTxnRequestSchema, create(CommitTxnRequestSchema, fields));
  const key = random.pick(askedKeys);
  const read = { operation: { case: 'read' as const, value: { range: { start: Buffer.from('f'), end: key } } } };
  const put = { operation: { case: 'put' as const, value: { key, value: key } } };
  const is = random.pick([MetaComparison.EQUAL, MetaComparison.GREATER]);
  const compares = [{ key, is, target: { case: 'version' as const, value: 1n } }];
  const ordinary = () => ask({ compares, success: [read], failure: [read, read] });
  const odd: Record<string, Fields> = {
    'no operation': { success: [{}] },
    'no comparison': { compares: [{ key }], success: [] },
    'two puts of one key': { success: [put, put] },
    'too much of it': { success: Array.from({ length: limits.kvOperationsCountMax + 1 }, () => read) },
  };
  return mistakenOr(random, isValid, story, ordinary, odd, ask);
}

/** One ordinary message, or one with a mistake of the method's own or of any. */
function mistakenOr<Fields>(
  random: SeededRandom,
  isValid: boolean,
  story: string[],
  ordinary: () => Uint8Array,
  odd: Readonly<Record<string, Fields>>,
  ask: (fields: Fields) => Uint8Array,
): Uint8Array[] {
  if (isValid) return [ordinary()];
  const mistakes: Record<string, () => Uint8Array[]> = {
    'no message': () => [],
    'two messages': () => [ordinary(), ordinary()],
    'an unknown field': () => [Buffer.concat([ordinary(), Buffer.from([0xa0, 6, 1])])],
    garbage: () => [random.bytes(random.between(1, 40))],
    ...Object.fromEntries(Object.entries(odd).map(([name, fields]) => [name, () => [ask(fields)]])),
  };
  const mistake = random.pick(Object.keys(mistakes));
  story.push(mistake);
  return mistakes[mistake]!();
}

/** The same chunk in other words: an unknown field before or after it, or a length with a needless byte. */
function oddly(random: SeededRandom, chunk: Uint8Array): Uint8Array {
  const unknown = Buffer.from([0xa0, 0x06, 0x07]);
  if (random.chance(0.3)) return Buffer.concat([unknown, chunk]);
  if (random.chance(0.3)) return Buffer.concat([chunk, unknown]);
  let end = 1;
  while ((chunk[end] ?? 0) >= 0x80) end++;
  if (chunk.length <= end) return chunk;
  const length = Buffer.from(chunk.subarray(1, end + 1));
  length[length.length - 1]! |= 0x80;
  return Buffer.concat([chunk.subarray(0, 1), length, Buffer.from([0]), chunk.subarray(end + 1)]);
}

/** Breaks the envelopes, not what is in them. */
function spoil(
  random: SeededRandom,
  { endFlag, encoding }: Protocol,
  headers: Record<string, string>,
  envelopes: Buffer[],
  story: string[],
): void {
  const spoils: Record<string, () => void> = {
    'an end of its own': () => void envelopes.push(framed(endFlag, Buffer.from('{}'))),
    'an end in between': () =>
      void envelopes.splice(random.below(envelopes.length + 1), 0, framed(endFlag, Buffer.from('x'))),
    'other flags': () => {
      const at = random.pick(envelopes);
      if (at !== undefined) at[0]! |= random.pick([4, 8, 0x40]);
    },
    'compressed by nothing we know': () => {
      headers[encoding] = random.pick(['br', 'zstd', 'identity', '']);
    },
    'said to be compressed': () => {
      const at = random.pick(envelopes);
      if (at !== undefined) at[0]! |= 1;
    },
    'first message too large': () => {
      const head = Buffer.from([0, 0, 0, 0, 0, 1]);
      head.writeUInt32BE(limits.requestMessageBytesMax + 1 + random.below(2 ** 31), 1);
      envelopes.splice(0, envelopes.length, head);
    },
    'a bomb': () => {
      headers[encoding] = 'gzip';
      envelopes.splice(0, envelopes.length, framed(1, bomb));
    },
  };
  const spoil = oneOf(random, 0.35, Object.keys(spoils));
  if (spoil === undefined) return;
  story.push(spoil);
  spoils[spoil]!();
}

const bomb = gzipSync(new Uint8Array(limits.requestMessageBytesMax + 1));

/** Not right behind a head: there the stock handler takes the missing message for none. */
function truncated(random: SeededRandom, envelopes: readonly Buffer[], body: Uint8Array): Uint8Array {
  const headEnds = new Set<number>();
  let at = 0;
  for (const envelope of envelopes) {
    headEnds.add(at + 5);
    at += envelope.length;
  }
  const length = random.below(body.length);
  return body.subarray(0, headEnds.has(length) ? length - 1 : length);
}
