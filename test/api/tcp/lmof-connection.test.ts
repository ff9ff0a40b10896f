import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type LmofCall, LmofConnection } from '../../../src/api/tcp/lmof-connection.js';
import type { AnyAnswer, AnyRequest } from '../../../src/api/tcp/lmof-messages.js';
import { type Action, messageTypes } from '../../../src/api/tcp/message-types.js';
import { ByteBudget } from '../../../src/base/byte-budget.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import {
  DeleteRequestSchema,
  DownloadRequestSchema,
  UploadRequestSchema,
} from '../../../src/gen/cairn/lmof/v2/lmof_pb.js';
import { LmofClient } from '../../support/lmof-client.js';
import { ManualClock } from '../../support/manual-clock.js';

let client: LmofClient;
let clock: ManualClock;
let calls: LmofCall[];
let budget: ByteBudget;
let ended: Promise<void>;
let connection: LmofConnection;
let server: Server;
/** Throws when the action is not for this peer. */
let admit: (action: Action) => void = () => {};

async function connect(perform: (request: AnyRequest, signal: AbortSignal) => Promise<AnyAnswer>): Promise<void> {
  clock = new ManualClock();
  calls = [];
  budget = new ByteBudget(limits.lmofHeldBytesMax);
  server = createServer({ allowHalfOpen: true }, (socket) => {
    connection = new LmofConnection(socket, {
      clock,
      budget,
      session: { account: '', admit: async (action) => admit(action), perform },
      onCall: (call) => calls.push(call),
    });
    ended = connection.run();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  client = new LmofClient(connectTcp((server.address() as AddressInfo).port, '127.0.0.1'));
  await accepted;
}

afterEach(async () => {
  client.stream.destroy();
  await ended;
  server.close();
  admit = () => {};
  expect(budget.takenBytes).toBe(0);
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const nothing = async (): Promise<AnyAnswer> => ({ action: 'DELETE', answer: {} });
const file = { file_id: 'f_000000000001', file_name: 'a', file_size: 10, offset: 0, length: 10 };

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe('version 1', () => {
  it('answers under the request id, with all its digits', async () => {
    await connect(nothing);
    client.sendJson('DELETE', 18_446_744_073_709_551_615n, { file_id: 'f_1' });
    const { text } = await client.receiveJson();
    expect(text).toBe('{"type":"DELETE_RESPONSE","request_id":18446744073709551615,"data":{}}');
  });

  it.each([
    ['no JSON', '{'],
    ['not UTF-8', '{"data":{"file_id":"\xff"}}'],
    ['no object', '[]'],
    ['another type', '{"type":"LIST_REQUEST","data":{"file_id":"f"}}'],
    ['another id', '{"request_id":8,"data":{"file_id":"f"}}'],
    ['an id in words', '{"request_id":"seven","data":{"file_id":"f"}}'],
    ['no data', '{}'],
    ['a number for a name', '{"data":{"file_id":7}}'],
  ])('refuses %s, and goes on', async (_name, body) => {
    await connect(nothing);
    client.send(1, messageTypes.DELETE_REQUEST, 7n, Buffer.from(body, 'latin1'));
    expect(await client.receiveJson()).toMatchObject({ type: 'DELETE_RESPONSE', request_id: 7, code: 1001 });
    client.send(1, messageTypes.DELETE_REQUEST, 8n, Buffer.from('{"data":{"file_id":"f"}}'));
    expect(await client.receiveJson()).toMatchObject({ request_id: 8, data: {} });
    await expect.poll(() => calls.map(({ code }) => code)).toEqual(['invalid_argument', 'ok']);
  });

  it('carries content in Base64, and refuses what is none', async () => {
    const contents: string[] = [];
    await connect(async ({ request }) => {
      contents.push(`${(request as { content: unknown }).content}`);
      return { action: 'DOWNLOAD', answer: { ...file, content: pieces('01234', '56789') } };
    });
    client.sendJson('UPLOAD', 1n, { file_name: 'a', file_size: 14, file_content: 'SGVsbG8gTHVtZW9GUw==' });
    expect(await client.receiveJson()).toMatchObject({ data: { file_content: 'MDEyMzQ1Njc4OQ==' } });
    for (const file_content of ['SGVsbG8gTHVtZW9GUw==?', '?', 'S', 'SGV sbG8']) {
      client.sendJson('UPLOAD', 2n, { file_name: 'a', file_content });
      expect(await client.receiveJson()).toMatchObject({ code: 1001, type: 'UPLOAD_RESPONSE' });
    }
    expect(contents).toEqual(['Hello LumeoFS']);
  });

  it('does not hold a large file for an answer', async () => {
    const length = limits.lmofJsonContentBytesMax + 1;
    await connect(async () => ({ action: 'DOWNLOAD', answer: { ...file, length, content: pieces() } }));
    client.sendJson('DOWNLOAD', 1n, { file_id: 'f' });
    expect(await client.receiveJson()).toMatchObject({ type: 'DOWNLOAD_RESPONSE', code: 1001 });
  });
});

describe('version 2', () => {
  const upload = async ({ request }: AnyRequest): Promise<AnyAnswer> => {
    let bytes = 0;
    for await (const piece of (request as { content: AsyncIterable<Uint8Array> }).content) bytes += piece.length;
    const { file_id, file_name } = file;
    const at = '2026-01-05T10:00:00Z';
    const rest = { version: 1, created_at: at, modified_at: at, chunks: [], chunk_count: 0 };
    return { action: 'UPLOAD', answer: { file_id, file_name, file_size: bytes, ...rest } };
  };

  it('passes content on as it comes, without holding it', async () => {
    await connect(upload);
    const fileSize = BigInt(limits.lmofHeldBytesMax);
    const piece = Buffer.alloc(1 << 20);
    const message = Buffer.from([0, 0, 0, 6, 0x10, ...varint(fileSize)]);
    client.send(2, messageTypes.UPLOAD_REQUEST, 1n, message, BigInt(message.length) + fileSize);
    for (let sent = 0n; sent < fileSize; sent += BigInt(piece.length)) {
      if (!client.stream.write(piece)) await new Promise((resolve) => client.stream.once('drain', resolve));
    }
    const { response } = await client.receiveMessage();
    expect(response.outcome).toMatchObject({ case: 'upload', value: { fileSize } });
  });

  it('takes a size for an exact one', async () => {
    await connect(upload);
    for (const fileSize of [3n, 5n]) {
      client.sendMessage('UPLOAD', 1n, UploadRequestSchema, { fileName: 'a', fileSize }, Buffer.from('four'));
      expect((await client.receiveMessage()).response.outcome).toMatchObject({
        case: 'failure',
        value: { code: 1001 },
      });
    }
    client.sendMessage('UPLOAD', 2n, UploadRequestSchema, { fileName: 'a', fileSize: 4n }, Buffer.from('four'));
    expect((await client.receiveMessage()).response.outcome).toMatchObject({ case: 'upload' });
  });

  it('throws away what an upload that failed has left', async () => {
    await connect(async () => {
      throw new CairnError('no_space', 'full');
    });
    client.sendMessage('UPLOAD', 1n, UploadRequestSchema, { fileName: 'a', fileSize: 100_000n }, Buffer.alloc(100_000));
    client.sendMessage('DELETE', 2n, DeleteRequestSchema, { fileId: 'f' });
    for (const requestId of [1n, 2n]) {
      const got = await client.receiveMessage();
      expect(got).toMatchObject({ requestId, response: { outcome: { case: 'failure', value: { code: 4003 } } } });
    }
  });

  it('sends a download in parts, with other answers between them', async () => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    await connect(async ({ action }) => {
      if (action === 'DELETE') return { action, answer: {} };
      const slow = async function* () {
        yield Buffer.from('01234');
        await opened;
        yield Buffer.from('56789');
      };
      return { action: 'DOWNLOAD', answer: { ...file, content: slow() } };
    });
    client.sendMessage('DOWNLOAD', 1n, DownloadRequestSchema, { fileId: 'f' });
    const first = await client.receiveMessage();
    client.sendMessage('DELETE', 2n, DeleteRequestSchema, { fileId: 'f' });
    const between = await client.receiveMessage();
    open();
    const last = await client.receiveMessage();
    expect([first, between, last].map(({ requestId }) => requestId)).toEqual([1n, 2n, 1n]);
    expect(first.response.outcome.value).toMatchObject({ offset: 0n, length: 5n, fileSize: 10n, isLast: false });
    expect(last.response.outcome.value).toMatchObject({ offset: 5n, length: 5n, isLast: true });
    expect(`${first.content}${last.content}`).toBe('0123456789');
  });

  it('sends one part of an empty file, and a failure in the middle', async () => {
    const answers = [
      { ...file, file_size: 0, length: 0, content: pieces() },
      { ...file, content: pieces('01234') },
    ];
    await connect(async () => ({ action: 'DOWNLOAD', answer: answers.shift()! }));
    client.sendMessage('DOWNLOAD', 1n, DownloadRequestSchema, { fileId: 'f' });
    expect((await client.receiveMessage()).response.outcome.value).toMatchObject({ length: 0n, isLast: true });
    client.sendMessage('DOWNLOAD', 2n, DownloadRequestSchema, { fileId: 'f' });
    expect((await client.receiveMessage()).response.outcome.case).toBe('download');
    expect((await client.receiveMessage()).response.outcome).toMatchObject({ case: 'failure', value: { code: 4003 } });
  });
});

describe('a connection', () => {
  it('ends after an unknown version', async () => {
    await connect(nothing);
    client.send(3, messageTypes.LIST_REQUEST, 5n, Buffer.alloc(0));
    expect(await client.receiveJson()).toMatchObject({ code: 1001, request_id: 5, type: 'LIST_RESPONSE' });
    expect(await client.receive()).toBeUndefined();
  });

  it('goes on after an unknown type, which is answered under its own number', async () => {
    await connect(nothing);
    client.send(1, 0x7777, 5n, Buffer.from('{"whatever":1}'));
    client.sendJson('DELETE', 6n, { file_id: 'f' });
    const { header, body } = (await client.receive())!;
    expect(header).toMatchObject({ type: 0x7777, requestId: 5n });
    expect(JSON.parse(`${body}`)).toMatchObject({ type: 'UNKNOWN', code: 1001, error: 'INVALID_PARAMETER' });
    expect(await client.receiveJson()).toMatchObject({ request_id: 6, data: {} });
  });

  it.each([1, 2])('refuses hostile lengths at once, in version %i', async (version) => {
    await connect(nothing);
    client.send(version, messageTypes.DELETE_REQUEST, 5n, Buffer.alloc(0), 2n ** 64n - 1n);
    expect((await client.receive())?.header).toMatchObject({ type: messageTypes.DELETE_RESPONSE, requestId: 5n });
    expect(await client.receive()).toBeUndefined();
  });

  it('ends when its peer is silent, unless it owes an answer', async () => {
    let answer: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let isAsked = false;
    await connect(async () => {
      isAsked = true;
      await asked;
      return { action: 'DELETE', answer: {} };
    });
    client.sendJson('DELETE', 1n, { file_id: 'f' });
    await expect.poll(() => isAsked && clock.waiting).toBe(1);
    clock.advance(limits.lmofIdleMillisecondsMax);
    await turn();
    answer();
    expect(await client.receiveJson()).toMatchObject({ data: {} });
    clock.advance(limits.lmofIdleMillisecondsMax);
    expect(await client.receive()).toBeUndefined();
    await ended;
  });

  it('asks who it is before it reads what they want', async () => {
    await connect(nothing);
    admit = () => {
      throw new CairnError('unauthenticated', 'who are you?');
    };
    client.sendJson('UPLOAD', 1n, { file_name: 'a', file_content: '?' });
    expect(await client.receiveJson()).toMatchObject({ code: 5001, error: 'AUTHENTICATION_FAILED' });
    admit = () => {};
    client.sendJson('DELETE', 2n, { file_id: 'f' });
    expect(await client.receiveJson()).toMatchObject({ request_id: 2, data: {} });
  });

  it('reads no more than so many requests ahead of its answers', async () => {
    let underWay = 0;
    let most = 0;
    await connect(async () => {
      most = Math.max(most, ++underWay);
      await turn();
      underWay--;
      return { action: 'DELETE', answer: {} };
    });
    const count = 200;
    for (let id = 1; id <= count; id++) client.sendJson('DELETE', BigInt(id), { file_id: 'f' });
    const ids = new Set<unknown>();
    for (let id = 1; id <= count; id++) ids.add((await client.receiveJson()).request_id);
    expect(ids.size).toBe(count);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(limits.lmofRequestsCountMax);
  });

  it('refuses what would make the process hold too much', async () => {
    await connect(nothing);
    budget.take(limits.lmofHeldBytesMax);
    client.sendJson('DELETE', 1n, { file_id: 'f' });
    expect(await client.receiveJson()).toMatchObject({ code: 3001 });
    budget.give(limits.lmofHeldBytesMax);
    client.sendJson('DELETE', 2n, { file_id: 'f' });
    expect(await client.receiveJson()).toMatchObject({ data: {} });
  });

  it('tells those at work that the peer has left', async () => {
    let signal: AbortSignal | undefined;
    await connect((_request, given) => {
      signal = given;
      return new Promise((_resolve, reject) => {
        given.addEventListener('abort', () => reject(given.reason as Error));
      });
    });
    client.sendJson('DELETE', 1n, { file_id: 'f' });
    await expect.poll(() => signal).toBeDefined();
    (client.stream as Socket).resetAndDestroy();
    await ended;
    expect(signal?.reason).toMatchObject({ code: 'canceled' });
    expect(calls.map(({ code }) => code)).toEqual(['canceled']);
  });

  it('answers what it has read when it drains, and nothing else', async () => {
    await connect(nothing);
    client.sendJson('DELETE', 1n, { file_id: 'f' });
    expect(await client.receiveJson()).toMatchObject({ request_id: 1 });
    connection.drain();
    expect(await client.receive()).toBeUndefined();
    await ended;
  });
});

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}
