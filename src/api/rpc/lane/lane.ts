// The lane: Transport.Download and Upload and BlobService's BatchRead and BatchWrite, framed by hand around the bytes of the
// store, NegotiateBlobs and FindMissing, answered from the bytes of their questions, and reads and writes of the metadata,
// since the general handler costs more than the bytes and the look-ups do. It takes a request only when it knows every part
// of it; whatever it does not take is served by the stock handler, and a caller cannot tell which of the two answered.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { type Compression, compressionNegotiate } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { limits } from '../../../base/limits.js';
import { SpareBuffers } from '../../../base/spare-buffers.js';
import { BlobService } from '../../../gen/cairn/v1/blob_service_pb.js';
import { MetaService } from '../../../gen/cairn/v1/meta_service_pb.js';
import { ContentAddressableStorage } from '../../../gen/zako/v1/cas/cas_pb.js';
import { Transport } from '../../../gen/zako/v1/transport/transport_pb.js';
import type { KvStore } from '../../../meta/kv.js';
import { isHost } from '../../authority.js';
import type { NodeRequest, NodeResponse } from '../../request-listener.js';
import { metaCalls } from '../meta-service.js';
import type { RpcParts } from '../rpc-parts.js';
import { admitCall } from '../token-admission.js';
import type { Exchange } from './exchange.js';
import { Http1Exchange } from './http1-exchange.js';
import { Http2Exchange } from './http2-exchange.js';
import { laneBatchRead } from './lane-batch-read.js';
import { laneBatchWrite } from './lane-batch-write.js';
import { LaneCall } from './lane-call.js';
import { laneDownload, messageHeadBytesMax } from './lane-download.js';
import { laneFindMissing, laneNegotiate } from './lane-negotiate.js';
import { laneUnary } from './lane-unary.js';
import { laneUpload } from './lane-upload.js';
import { MessageMemory } from './message-memory.js';
import { type LaneProtocol, laneProtocol } from './protocols.js';
import { RequestMessages } from './request-messages.js';

type Serve = (parts: RpcParts, call: LaneCall, messages: RequestMessages) => Promise<readonly Uint8Array[]>;

interface LaneMethod {
  /** `package.Service/Method`. */
  readonly name: string;
  readonly serve: Serve;
  /** Answers while it is still being asked, which HTTP/1.1 cannot carry. */
  readonly needsHttp2: boolean;
  /** Connect has no envelopes around its messages. */
  readonly isUnary: boolean;
}

const blobMethods: readonly LaneMethod[] = [
  { name: `${Transport.typeName}/Download`, serve: laneDownload, needsHttp2: false, isUnary: false },
  { name: `${Transport.typeName}/Upload`, serve: laneUpload, needsHttp2: false, isUnary: false },
  {
    name: `${ContentAddressableStorage.typeName}/NegotiateBlobs`,
    serve: laneNegotiate,
    needsHttp2: true,
    isUnary: false,
  },
  { name: `${BlobService.typeName}/FindMissing`, serve: laneFindMissing, needsHttp2: false, isUnary: true },
  { name: `${BlobService.typeName}/BatchRead`, serve: laneBatchRead, needsHttp2: false, isUnary: true },
  { name: `${BlobService.typeName}/BatchWrite`, serve: laneBatchWrite, needsHttp2: false, isUnary: true },
];

function metaMethods(kv: KvStore): LaneMethod[] {
  const calls = metaCalls(kv);
  const { getKey, rangeKeys, commitTxn } = MetaService.method;
  const serves = [
    { name: getKey.name, serve: laneUnary(getKey, calls.getKey) },
    { name: rangeKeys.name, serve: laneUnary(rangeKeys, (request) => calls.rangeKeys(request, false)) },
    { name: commitTxn.name, serve: laneUnary(commitTxn, (request) => calls.commitTxn(request, false)) },
  ];
  return serves.map(({ name, serve }) => ({
    name: `${MetaService.typeName}/${name}`,
    serve,
    needsHttp2: false,
    isUnary: true,
  }));
}

/** The protocol in which a method is asked for, when both are known here. */
function protocolOf(method: LaneMethod | undefined, contentType: string | undefined): LaneProtocol | undefined {
  const protocol = method && laneProtocol(contentType);
  return method?.isUnary && protocol?.name === 'connect' ? undefined : protocol;
}

const acceptedCompression: Compression[] = [compressionGzip];

export class Lane {
  readonly #parts: RpcParts;
  /** By path. */
  readonly #methods: ReadonlyMap<string, LaneMethod>;
  readonly #calls = new Set<LaneCall>();
  readonly #memory = new MessageMemory();
  readonly #frames = new SpareBuffers(messageHeadBytesMax + limits.laneCopiedBytesMax, limits.laneFramesCountMax);

  constructor(parts: RpcParts) {
    this.#parts = parts;
    // Metadata is the owner's thread's alone.
    const methods = [...blobMethods, ...(parts.kv === undefined ? [] : metaMethods(parts.kv))];
    this.#methods = new Map(methods.map((method) => [`/${method.name}`, method]));
    // One listener for all calls: a signal with thousands of them is slow.
    parts.shutdown.addEventListener('abort', () => {
      for (const call of this.#calls) call.abort(parts.shutdown.reason);
    });
  }

  /** Whether an HTTP/2 request with these headers is one for the lane. */
  wantsStream(headers: IncomingHttpHeaders): boolean {
    return (
      protocolOf(this.#methods.get(headers[':path'] ?? ''), headers['content-type']) !== undefined &&
      headers[':method'] === 'POST' &&
      headers.expect === undefined &&
      hasHost(headers[':authority'] ?? headers.host)
    );
  }

  /** Answers a stream that `wantsStream` said yes to; `extraHeaders` go into the answer. */
  answerStream(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    extraHeaders: Readonly<Record<string, string>>,
  ): void {
    this.#answer(headers[':path']!, laneProtocol(headers['content-type'])!, () => {
      return new Http2Exchange(stream, headers, extraHeaders);
    });
  }

  /** Whether a request over HTTP/1.1 is one for the lane. */
  wantsRequest(request: NodeRequest): boolean {
    const method = this.#methods.get(request.url ?? '');
    const protocol = protocolOf(method, request.headers['content-type']);
    if ('stream' in request || method === undefined || method.needsHttp2 || request.method !== 'POST') return false;
    if (protocol === undefined || protocol.needsHttp2 || !hasHost(request.headers.host)) return false;
    return request.headers.expect === undefined;
  }

  /** Answers a request over HTTP/1.1 when it is one for the lane; otherwise leaves it alone and returns false. */
  takesRequest(request: NodeRequest, response: NodeResponse): boolean {
    if (!this.wantsRequest(request) || 'stream' in request || 'stream' in response) return false;
    this.#answer(request.url!, laneProtocol(request.headers['content-type'])!, () => {
      return new Http1Exchange(request, response);
    });
    return true;
  }

  #answer(path: string, protocol: LaneProtocol, open: () => Exchange): void {
    const method = this.#methods.get(path)!;
    const exchange = open();
    let cancelDeadline: (() => void) | undefined;
    const call: LaneCall = new LaneCall(this.#parts, this.#frames, exchange, protocol, method.name, () => {
      this.#calls.delete(call);
      cancelDeadline?.();
    });
    this.#calls.add(call);
    if (this.#parts.shutdown.aborted) call.abort(this.#parts.shutdown.reason);
    const timeout = protocol.parseTimeout(header(exchange, protocol.timeoutHeader), limits.callMillisecondsMax);
    if (timeout.timeoutMs !== undefined && timeout.error === undefined)
      cancelDeadline = this.#setDeadline(call, timeout.timeoutMs);
    void this.#run(call, exchange, protocol, timeout.error, method);
  }

  #setDeadline(call: LaneCall, milliseconds: number): (() => void) | undefined {
    const end = () => call.abort(new ConnectError('the operation timed out', Code.DeadlineExceeded));
    if (milliseconds > 0) return this.#parts.clock.after(milliseconds, end);
    end();
    return undefined;
  }

  /** Never rejects. */
  async #run(
    call: LaneCall,
    exchange: Exchange,
    protocol: LaneProtocol,
    timeoutError: ConnectError | undefined,
    { name, serve }: LaneMethod,
  ): Promise<void> {
    try {
      const caller = { ...exchange.connection, authorization: exchange.headers.authorization };
      const headers = { get: (key: string) => header(exchange, key) };
      const admitted =
        this.#parts.admit?.(name, headers, caller, exchange.session) ??
        admitCall(this.#parts, name, headers, caller, exchange.session);
      call.admitted(admitted instanceof Promise ? await admitted : admitted);
      const compression = requestCompression(exchange, protocol);
      if (timeoutError !== undefined) throw timeoutError;
      call.succeed(
        await serve(
          this.#parts,
          call,
          new RequestMessages(call.envelopes, protocol, compression, { memory: this.#memory, held: call.held }),
        ),
      );
    } catch (error) {
      call.fail(error);
    }
  }
}

function header({ headers }: Exchange, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

/** How compressed messages of the request are compressed. `unimplemented` for a way we do not know. */
function requestCompression(exchange: Exchange, protocol: LaneProtocol): Compression | null {
  const encoding = header(exchange, protocol.encodingHeader);
  if (encoding === null) return null;
  const { request, error } = compressionNegotiate(acceptedCompression, encoding, null, protocol.acceptEncodingHeader);
  if (error !== undefined) throw error;
  return request;
}

/** Requests without one, or with an impossible one, are for the stock handler to refuse. */
function hasHost(host: string | undefined): boolean {
  return host !== undefined && isHost(host);
}
