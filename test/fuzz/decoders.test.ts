// Fuzzed texts and bytes into every decoder that works in memory: a clean refusal or a sound answer, never anything else.

import { describe, expect } from 'vitest';
import { accountRecord, decodeRecord } from '../../src/api/auth/account-records.js';
import { parseAuthorization } from '../../src/api/auth/credentials.js';
import { roles } from '../../src/api/auth/principal.js';
import { parseByteRanges } from '../../src/api/http/byte-ranges.js';
import { fromDigestMessage } from '../../src/api/rpc/digest-message.js';
import { decodePageToken, encodePageToken } from '../../src/api/rpc/page-token.js';
import { TransportTokens } from '../../src/api/rpc/transport-tokens.js';
import { formatHash, hashHex, parseHash, toDigest, toHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { decodeBlobRecord, largeBlobRecord, packedBlobRecord, tombstoneRecord } from '../../src/cas/blob-records.js';
import { decodeRow, decodeRowKey, decodeState, encodeRow, encodeRowKey, encodeState } from '../../src/cas/index-row.js';
import { decodeDigest } from '../../src/client/wire.js';
import {
  checksumOfSalt,
  decodeRecordHeader,
  encodeRecordHead,
  headIsValid,
  recordBytes,
  recordHeadBytes,
  recordHeaderBytes,
} from '../../src/log/record.js';
import { parseSegmentFileName, segmentFileName } from '../../src/log/segment.js';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../src/log/segment-header.js';
import { parseListenAddress } from '../../src/server/config.js';
import { seededRandom } from '../support/random.js';
import { answerOf, itFuzz, mutateBytes, mutateText } from './fuzzing.js';

const hash = digestBlob(Uint8Array.of(1, 2, 3)).hash;
const hexDigits = '0123456789abcdefABCDEFxyz:-_ ';

describe('texts', () => {
  itFuzz('parseHash', { rounds: 20_000 }, (random) => {
    const text = mutateText(random, [formatHash(hash), hashHex(hash)], hexDigits);
    const parsed = answerOf(() => parseHash(text), 'invalid_argument');
    if (parsed !== undefined) expect(text.toLowerCase().endsWith(hashHex(parsed))).toBe(true);
  });

  itFuzz('parseAuthorization', { rounds: 20_000 }, (random) => {
    const samples = ['Bearer eyJhbGciOiJIUzI1NiJ9.e30.x', 'Basic YW5uOnNlY3JldA==', 'Basic Og==', 'bearer  x '];
    const text = mutateText(random, samples, 'BearrBasic =+/09azAZ.:-_\u00e4');
    const credentials = answerOf(() => parseAuthorization(text), 'unauthenticated');
    if (credentials?.scheme === 'bearer') expect(credentials.token).toMatch(/^\S+$/);
    if (credentials?.scheme === 'basic') expect(credentials.name).not.toContain(':');
  });

  itFuzz('account records', { rounds: 5000 }, (random) => {
    const sample = { version: 1, roles: ['admin'], email: '', passwordHash: '$scrypt$', createdAt: 1 } as const;
    const text = mutateText(random, [JSON.stringify(sample)], '{}[]":,0129.eE-null true');
    const record = answerOf(() => decodeRecord(accountRecord, Buffer.from(text)), 'corrupt');
    if (record === undefined) return;
    expect(record.version).toBe(1);
    for (const role of record.roles) expect(roles).toContain(role);
  });

  itFuzz('parseListenAddress', { rounds: 20_000 }, (random) => {
    const samples = ['127.0.0.1:9000', '[::1]:0', 'grpc=localhost:50051', 'http=[::ffff:1.2.3.4]:65535', 'all=a:1'];
    const text = mutateText(random, samples, '0123456789abcdef:.[]=%- grpchtal');
    const address = answerOf(() => parseListenAddress(text), 'invalid_argument');
    if (address === undefined) return;
    expect(['all', 'grpc', 'http']).toContain(address.face);
    expect(Number.isInteger(address.port) && address.port >= 0 && address.port <= 65_535).toBe(true);
    expect(address.host).not.toBe('');
  });

  itFuzz('parseByteRanges', { rounds: 20_000 }, (random) => {
    const size = random.pick([0, 1, 10, 1000, limits.blobBytesMax]);
    const samples = ['bytes=0-99', 'bytes=5-', 'bytes=-5', 'bytes=0-0,5-6,-1', 'bytes=9007199254740993-', 'items=1-2'];
    const header = mutateText(random, samples, '0123456789-,= bytes.eE+\t');
    const ranges = answerOf(() => parseByteRanges(header, size), 'out_of_range');
    if (ranges === undefined) return;
    expect(ranges.length).toBeGreaterThan(0);
    expect(ranges.length).toBeLessThanOrEqual(limits.rangesPerRequestCountMax);
    for (const { start, end } of ranges) {
      const inside =
        Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start < end && end <= size;
      expect(inside, `${header} of ${size}: ${start}–${end}`).toBe(true);
    }
    const sorted = [...ranges].sort((a, b) => a.start - b.start);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i]!.start).toBeGreaterThan(sorted[i - 1]!.end);
  });

  itFuzz('decodePageToken', { rounds: 5000 }, (random) => {
    const sample = encodePageToken('list', hash);
    const token = mutateText(random, [sample], 'ABCxyz019-_=+/ ');
    const after = answerOf(() => decodePageToken('list', token), 'invalid_argument');
    if (after !== undefined) expect(token).toBe(encodePageToken('list', after));
    if (token === sample) expect(() => decodePageToken('other', token)).toThrow();
  });

  itFuzz('transport tokens', { rounds: 5000 }, (random) => {
    let now = 1_700_000_000_000;
    const clock = { now: () => now, monotonic: () => now, after: () => () => {} };
    const tokens = new TransportTokens({ clock, random: seededRandom(1), nodeId: 7 });
    const issued = tokens.issue();
    const text = mutateText(random, [issued], '0123456789abcdefABCDEF-');
    if (random.chance(0.2)) now += random.below(200_000);
    const session = random.chance(0.5) ? {} : undefined;
    const answer = tokens.redeem(text, session);
    if (text.toLowerCase() === issued) expect(['redeemed', 'expired']).toContain(answer);
    else expect(answer).toBe('unknown');
  });

  itFuzz('segment file names', { rounds: 10_000 }, (random) => {
    const name = mutateText(
      random,
      [segmentFileName(1), segmentFileName(0xabcdef), 'ffffffffffffffff.log'],
      '0123456789abcdef.log',
    );
    const id = parseSegmentFileName(name);
    if (id !== undefined) expect(segmentFileName(id)).toBe(name);
  });
});

describe('messages', () => {
  itFuzz('digests', { rounds: 5000 }, (random) => {
    const blake3 = random.bytes(random.pick([0, 1, 31, 32, 32, 32, 33, 64]));
    const sizeBytes = random.pick([0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]);
    for (const decode of [fromDigestMessage, decodeDigest]) {
      const digest = answerOf(
        () => decode({ blake3, sizeBytes } as Parameters<typeof fromDigestMessage>[0] & object),
        'invalid_argument',
      );
      if (digest === undefined) continue;
      expect(digest.hash).toHaveLength(32);
      expect(BigInt(digest.size)).toBe(sizeBytes);
    }
    expect(answerOf(() => fromDigestMessage(undefined), 'invalid_argument')).toBeUndefined();
  });
});

describe('the log', () => {
  const header = {
    segment: 7,
    salt: new Uint8Array(16).fill(3),
    previousSegment: 6,
    previousEnd: 123_456,
    durability: 'disk' as const,
    created: 1e12,
  };

  itFuzz('segment headers', { rounds: 20_000 }, (random) => {
    const area = mutateBytes(random, encodeSegmentHeader(header));
    const decoded = answerOf(() => decodeSegmentHeader(area), 'failed_precondition');
    if (decoded !== undefined) expect(decoded).toEqual(header);
  });

  itFuzz('segment headers of any bytes', { rounds: 5000 }, (random) => {
    expect(decodeSegmentHeader(random.bytes(random.below(5000)))).toBeUndefined();
  });

  itFuzz('record heads', { rounds: 20_000 }, (random) => {
    const meta = random.bytes(random.below(60));
    const payload = new Uint8Array(random.below(200));
    const bytes = new Uint8Array(recordHeadBytes(meta.length, payload.length));
    const salt = checksumOfSalt(header.salt);
    const offset = random.pick([4096, 2 ** 31, 2 ** 33 + 8]);
    encodeRecordHead(new DataView(bytes.buffer), 0, { type: 1, version: 1, meta, payload }, salt, offset);
    expect(headIsValid(bytes, salt, offset)).toBe(true);
    expect(headIsValid(bytes, salt, offset + 8)).toBe(false);
    const damaged = mutateBytes(random, bytes);
    const decoded = decodeRecordHeader(damaged, 0);
    if (decoded === undefined) return;
    const headBytes = recordHeadBytes(decoded.metaBytes, decoded.payloadBytes);
    expect(headBytes).toBeGreaterThanOrEqual(recordHeaderBytes);
    expect(recordBytes(decoded.metaBytes, decoded.payloadBytes) % 8).toBe(0);
    if (headBytes > damaged.length) return;
    const head = damaged.subarray(0, headBytes);
    expect(headIsValid(head, salt, offset)).toBe(Buffer.compare(head, bytes) === 0);
  });

  itFuzz('blob records', { rounds: 20_000 }, (random) => {
    const samples = [
      packedBlobRecord(hash, new Uint8Array(10)),
      largeBlobRecord(toDigest(hash, 100_000), 3, false, new Uint8Array(8)),
      tombstoneRecord(hash),
    ];
    const { type, version, meta, payload } = random.pick(samples);
    const record = {
      type: random.chance(0.2) ? random.below(256) : type,
      version: random.chance(0.1) ? random.below(256) : version,
      meta: mutateBytes(random, meta),
      payloadBytes: random.chance(0.2) ? random.below(2 ** 28) : payload.length,
    };
    const decoded = answerOf(() => decodeBlobRecord(record), 'corrupt');
    if (decoded === undefined) return;
    if (decoded.kind === 'tombstone') expect(decoded.hash).toHaveLength(32);
    else expect(decoded.digest.size).toBeLessThanOrEqual(limits.blobBytesMax);
  });
});

describe('the index', () => {
  itFuzz('row keys', { rounds: 10_000 }, (random) => {
    const key = mutateBytes(random, encodeRowKey(hash));
    const decoded = answerOf(() => decodeRowKey(key), 'corrupt');
    if (decoded !== undefined) expect(Buffer.compare(encodeRowKey(decoded), key)).toBe(0);
  });

  itFuzz('rows', { rounds: 20_000 }, (random) => {
    const key = encodeRowKey(toHash(random.bytes(32)));
    const row = { size: random.below(2 ** 31), segment: random.below(1000), offset: 4096, large: random.chance(0.5) };
    const value = encodeRow(key, row);
    expect(decodeRow(key, value)).toEqual(row);
    const damaged = mutateBytes(random, value);
    const decoded = answerOf(() => decodeRow(key, damaged), 'corrupt');
    if (decoded !== undefined) expect(decoded).toEqual(row);
    expect(answerOf(() => decodeRow(encodeRowKey(hash), value), 'corrupt')).toBeUndefined();
  });

  itFuzz('the state', { rounds: 20_000 }, (random) => {
    const position = random.chance(0.5) ? { segment: 3, offset: random.below(2 ** 30) } : undefined;
    const state = { position, count: random.below(1e6), sum: random.below(2 ** 32) };
    const damaged = mutateBytes(random, encodeState(state));
    const decoded = answerOf(() => decodeState(damaged), 'corrupt');
    if (decoded !== undefined) expect(decoded).toEqual(state);
  });
});
