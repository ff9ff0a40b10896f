// The lane against the stock handler: the same random calls to two servers that differ in nothing else. A client must see
// the same of both: status, headers, messages, trailers or last envelope, code and words of errors; and both must say the
// same of themselves in their records, and store the same.

import { type ClientHttp2Session, connect } from 'node:http2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CallRecord } from '../../../../src/api/rpc/rpc-parts.js';
import type { BlobHandle, BlobSource, WriteOptions, WriteResult } from '../../../../src/base/blob-store.js';
import { type BlobHash, hashesEqual } from '../../../../src/base/digest.js';
import { CairnError } from '../../../../src/base/errors.js';
import { limits } from '../../../../src/base/limits.js';
import { MemoryStore } from '../../../../src/cas/memory-store.js';
import { textKey } from '../../../../src/meta/keys.js';
import { KvState } from '../../../../src/meta/kv-state.js';
import { LevelKv } from '../../../../src/meta/level-kv.js';
import { MemoryRowDb } from '../../../../src/meta/memory-row-db.js';
import { freshBlob } from '../../../conformance/wire-blobs.js';
import { basic, testAccounts } from '../../../support/accounts.js';
import { withinAMinute } from '../../../support/hang.js';
import { seededRandom, testRounds, testSeed } from '../../../support/random.js';
import { type RpcServer, startRpcServer } from '../rpc-server.js';
import { type KnownBlobs, knownKeys, type RandomCall, randomCall } from './random-calls.js';
import { rawCall } from './raw-call.js';

const callsPerRound = 1500;
const callsAtOnce = 12;

const known: KnownBlobs = {
  stored: [0, 1, 100, 4096, 65_536, 65_537, 300_000, 1_500_000].map((size) => freshBlob(size)),
  damaged: freshBlob(900_000),
  refused: freshBlob(100),
};

/** Reads of one blob fail in its middle, and writes of another. */
class FailingStore extends MemoryStore {
  override async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await super.open(hash);
    if (handle === undefined || !hashesEqual(hash, known.damaged.digest.hash)) return handle;
    return {
      ...handle,
      digest: handle.digest,
      localPath: undefined,
      close: () => handle.close(),
      read: async (range) => {
        if (range.end > 500_000) throw new CairnError('corrupt', 'a block is damaged');
        return handle.read(range);
      },
    };
  }

  override async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    const result = super.write(source, options);
    if (options.expect === undefined || !hashesEqual(options.expect.hash, known.refused.digest.hash)) return result;
    await result;
    await this.delete([known.refused.digest.hash]);
    throw new CairnError('no_space', 'the disk is full');
  }
}

interface Side {
  readonly server: RpcServer;
  readonly session: ClientHttp2Session;
  readonly spentToken: string;
  /** What else a call presents, by the token it presents. */
  readonly presents: Partial<Record<RandomCall['token'], string>>;
  close(): Promise<void>;
  /** Lets the time pass after which logins that failed no longer count. */
  forgetFailures(): void;
}

async function startSide(withLane: boolean, kind: 'optional' | 'required' | 'accounts'): Promise<Side> {
  const store = new FailingStore();
  for (const { bytes } of [...known.stored, known.damaged]) await store.write(bytes);
  const test = await testAccounts();
  if (kind === 'accounts') for (const [name, role] of accountRoles) await test.add(name, role);
  const transportTokens = kind === 'required' ? 'required' : 'optional';
  const kv = new LevelKv(await KvState.open(new MemoryRowDb()), 'here');
  for (const key of knownKeys) {
    await kv.txn({
      success: [{ kind: 'put', key: textKey(key), value: new Uint8Array(key === 'file/large' ? 300_000 : 3) }],
    });
  }
  const server = await startRpcServer({ withLane, transportTokens, store, kv, gate: test.accounts.gate });
  // With the default of 10 MB a session that holds unsent uploads refuses the headers of early answers.
  const session = connect(server.baseUrl, { maxSessionMemory: 1024 });
  const spentToken = server.parts.tokens.issue();
  server.parts.tokens.redeem(spentToken, undefined);
  const presents =
    kind === 'accounts' ? { fresh: basic('wren'), spent: basic('rob'), foreign: basic('wren', 'wrong horse') } : {};
  const close = async () => {
    await test.accounts.close();
    await kv.close();
  };
  const forgetFailures = () => test.clock.pass(callsAtOnce * limits.failedLoginByNameMilliseconds);
  return { server, session, spentToken, presents, close, forgetFailures };
}

const accountRoles = [
  ['root', 'admin'],
  ['wren', 'writer'],
  ['rob', 'reader'],
] as const;

type Pair = readonly [lane: Side, stock: Side];

/** Calls that their callers reset have servers of their own: how far they came is a matter of time. */
let sides: Record<'optional' | 'required' | 'accounts' | 'reset', Pair>;

beforeAll(async () => {
  sides = {
    optional: [await startSide(true, 'optional'), await startSide(false, 'optional')],
    required: [await startSide(true, 'required'), await startSide(false, 'required')],
    accounts: [await startSide(true, 'accounts'), await startSide(false, 'accounts')],
    reset: [await startSide(true, 'optional'), await startSide(false, 'optional')],
  };
});

afterAll(async () => {
  for (const { server, session, close } of Object.values(sides).flat()) {
    session.destroy();
    await server.stop();
    await close();
  }
});

/** What the client of one server sees. */
async function seen({ server, session, spentToken, presents }: Side, call: RandomCall) {
  const tokens = { none: undefined, fresh: server.parts.tokens.issue(), spent: spentToken, foreign: 'no token' };
  const token = tokens[call.token];
  const authorization = presents[call.token];
  const headers = {
    ...call.headers,
    ...(token !== undefined && { 'x-cairn-transport-token': token }),
    ...(authorization !== undefined && { authorization }),
  };
  const answer = await rawCall(server.baseUrl, session, { ...call, headers });
  return answer && { ...answer, body: readable(answer.body) };
}

/** Envelopes with flags, length and, where it is short, text: two answers that differ are then easy to compare. */
function readable(body: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const length = body.readUInt32BE(at + 1);
    const message = body.subarray(at + 5, at + 5 + length);
    const text = length < 400 ? message.toString('latin1') : `${hash(message)}`;
    lines.push(`${body[at]} ${length} ${message.length} ${text}`);
    at += 5 + length;
  }
  return lines;
}

function hash(bytes: Buffer): number {
  let state = 0;
  for (const byte of bytes) state = (Math.imul(state, 31) + byte) | 0;
  return state;
}

const unary = /\/(FindMissing|BatchRead|BatchWrite|GetKey|RangeKeys|CommitTxn)$/;

/** Faults in a unary call's headers, which the stock handler tells before it asks who calls, and the lane after that. */
function isRefusedInTwoOrders({ path, story }: RandomCall): boolean {
  return unary.test(path) && /compressed by nothing we know|deadline/.test(story);
}

/**
 * Of a unary call that failed before it reached its method, the stock handler does not know the code. It does not look at a
 * deadline that is over at once either, when the answer is at hand, as with metadata and with what is asked of a store in memory.
 */
function recordsOf({ server }: Side): string[] {
  const told = ({ method, code }: CallRecord) => {
    if (/^cairn\.v1\.(MetaService\/|BlobService\/(FindMissing|BatchRead)$)/.test(method)) return 'over';
    return unary.test(method) && code !== 'ok' ? 'failed' : code;
  };
  return server.calls.map((call) => `${call.protocol} ${call.method} ${told(call)}`).sort();
}

it('a client cannot tell the lane from the stock handler', { timeout: 240_000 * testRounds() }, async () => {
  const random = seededRandom(testSeed('lane'));
  const calls = callsPerRound * testRounds();
  /** Calls that came to nothing, on both sides: equal, but they prove nothing. */
  const unseen: string[] = [];
  for (let done = 0; done < calls; done += callsAtOnce) {
    // Which of several logins at once is one too many is a matter of time.
    for (const { forgetFailures } of sides.accounts) forgetFailures();
    const batch = Array.from({ length: callsAtOnce }, () => {
      const call = randomCall(random, known);
      const pair = random.chance(0.7) ? sides.optional : random.pick([sides.required, sides.accounts]);
      return { call, pair: call.then === 'reset' ? sides.reset : pair };
    });
    await Promise.all(
      batch.map(async ({ call, pair: [lane, stock] }) => {
        const both = Promise.all([seen(lane, call), seen(stock, call)]);
        const [got, want] = await withinAMinute(both, () => call.story);
        // An early answer over HTTP/1.1 is lost when the rest of the request meets a connection that is closed by then:
        // a matter of time, on either side.
        const isLost = call.version === 'h1' && call.then === 'end' && (got === undefined || want === undefined);
        if (!isLost && !isRefusedInTwoOrders(call)) expect(got, call.story).toEqual(want);
        if (isLost || (call.then === 'end' && got?.ending !== 'complete')) unseen.push(call.story);
      }),
    );
  }
  expect(unseen.length, unseen.join('\n')).toBeLessThan(calls / 100);
  for (const [lane, stock] of [sides.optional, sides.required, sides.accounts]) {
    // A call that was answered early is over when the rest of its request was thrown away.
    await expect.poll(() => lane.server.calls.length, { timeout: 30_000 }).toBe(stock.server.calls.length);
    expect(recordsOf(lane)).toEqual(recordsOf(stock));
    expect(await lane.server.parts.store.usage()).toEqual(await stock.server.parts.store.usage());
    expect(lane.server.errors.length).toBe(stock.server.errors.length);
  }
});
