// A thousand clients that hardly move, in a process of their own: `slow-clients.js KIND COUNT URL PATH`. Readers take a
// piece every few seconds; uploaders send the beginning of a blob and then nothing. Prints `ready` when all have begun.

import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { digestBlob } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { UploadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { envelope, grpcHeaders } from './http2-client.js';

const streamsPerSession = 50;
const trickleMilliseconds = 4000;
/** Time in which an uploader has sent what is taken of it. */
const sendMilliseconds = 2000;
const mib = 1024 * 1024;
/** What an uploader announces, and what it sends of it. */
const announcedBytes = 64 * mib;
const sentBytes = mib + mib / 2;

const [kind, count, url, path] = process.argv.slice(2) as [string, string, string, string];
const { hostname, port } = new URL(url);
const question = Buffer.from(process.env.CAIRN_BENCH_QUESTION ?? '', 'base64');
const filler = randomBytes(sentBytes);

const sessions: ClientHttp2Session[] = [];
let nextStream = 0;

function session(): ClientHttp2Session {
  const index = Math.floor(nextStream++ / streamsPerSession);
  sessions[index] ??= connect(url).on('error', fail);
  return sessions[index]!;
}

function fail(error: Error): void {
  console.error(error);
  process.exit(1);
}

/** Resolves with the first piece; from then on takes one now and then. */
function trickle(readable: Readable): Promise<void> {
  return new Promise((resolve) => {
    readable.on('error', fail);
    readable.on('data', () => {
      readable.pause();
      resolve();
      setTimeout(() => readable.resume(), trickleMilliseconds * (0.5 + Math.random()));
    });
  });
}

/** A digest nobody has stored, of a blob that will never be whole. */
function unknownDigest(index: number) {
  return { ...digestBlob(Buffer.from(`${process.pid} ${index}`)), size: announcedBytes };
}

/** Sends the beginning of a body, and nothing more. */
function sendSome(stream: Writable, pieces: readonly Uint8Array[]): Promise<void> {
  stream.on('error', fail);
  for (const piece of pieces) stream.write(piece);
  return sleep(sendMilliseconds);
}

const kinds: Record<string, (index: number) => Promise<void>> = {
  'grpc-download': () => {
    const stream = session().request(grpcHeaders(path));
    stream.end(question);
    return trickle(stream);
  },
  'http2-get': () => trickle(session().request({ ':method': 'GET', ':path': path })),
  'http1-get': () => {
    const socket = connectSocket(Number(port), hostname);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
    return trickle(socket);
  },
  'grpc-upload': (index) => {
    const stream = session().request(grpcHeaders(path));
    const metadata = { digest: encodeDigest(unknownDigest(index)) };
    const messages = [
      create(UploadRequestSchema, { payload: { case: 'metadata', value: metadata } }),
      create(UploadRequestSchema, { payload: { case: 'chunk', value: filler } }),
    ];
    return sendSome(
      stream,
      messages.map((message) => envelope(toBinary(UploadRequestSchema, message))),
    );
  },
  'http2-put': (index) => {
    const hex = Buffer.from(unknownDigest(index).hash).toString('hex');
    const stream = session().request({
      ':method': 'PUT',
      ':path': `${path}${hex}`,
      'content-length': announcedBytes,
    });
    return sendSome(stream, [filler]);
  },
  'http1-put': (index) => {
    const hex = Buffer.from(unknownDigest(index).hash).toString('hex');
    const socket = connectSocket(Number(port), hostname);
    const head = `PUT ${path}${hex} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-length: ${announcedBytes}\r\n\r\n`;
    return sendSome(socket, [Buffer.from(head), filler]);
  },
};

await Promise.all(Array.from({ length: Number(count) }, (_, index) => kinds[kind]!(index)));
console.log('ready');
process.on('SIGTERM', () => process.exit());
