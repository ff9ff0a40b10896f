// The three streaming protocols in what they differ: content types, names of headers, how a deadline is spelled, and how
// an answer ends. gRPC ends with HTTP trailers and so needs HTTP/2; gRPC-Web with an envelope that holds trailers as
// text; Connect with an envelope that holds JSON. Only binary messages run on the lane; everything else is for the stock
// handler, with which these tables share their encoders of errors.

import type { ConnectError } from '@connectrpc/connect';
import {
  endStreamFlag,
  endStreamToJson,
  parseTimeout as parseConnectTimeout,
} from '@connectrpc/connect/protocol-connect';
import { parseTimeout as parseGrpcTimeout, setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import type { CallRecord } from '../rpc-parts.js';
import { encodeEnvelope } from './envelope.js';

/** How an answer ends: with a last envelope, or with trailers of HTTP. */
export interface AnswerEnd {
  readonly bytes?: Uint8Array;
  readonly trailers?: Readonly<Record<string, string>>;
}

export interface LaneProtocol {
  readonly name: CallRecord['protocol'];
  /** Of answers, whatever spelling the request used. */
  readonly contentType: string;
  readonly needsHttp2: boolean;
  readonly encodingHeader: string;
  readonly acceptEncodingHeader: string;
  readonly timeoutHeader: string;
  readonly parseTimeout: typeof parseGrpcTimeout;
  /** Envelopes with this flag are the sender's own end, and mean nothing in requests. */
  readonly endFlag: number;
  end(error: ConnectError | undefined): AnswerEnd;
}

const grpcOk: AnswerEnd = { trailers: { 'grpc-status': '0' } };
const grpcWebOk: AnswerEnd = { bytes: encodeEnvelope(trailerFlag, Buffer.from('grpc-status: 0\r\n')) };
const connectOk: AnswerEnd = { bytes: encodeEnvelope(endStreamFlag, Buffer.from('{}')) };

const grpcHeaders = {
  encodingHeader: 'grpc-encoding',
  acceptEncodingHeader: 'grpc-accept-encoding',
  timeoutHeader: 'grpc-timeout',
  parseTimeout: parseGrpcTimeout,
};

const grpc: LaneProtocol = {
  ...grpcHeaders,
  name: 'grpc',
  contentType: 'application/grpc+proto',
  needsHttp2: true,
  endFlag: 0,
  end: (error) => (error === undefined ? grpcOk : { trailers: Object.fromEntries(errorTrailers(error)) }),
};

const grpcWeb: LaneProtocol = {
  ...grpcHeaders,
  name: 'grpc-web',
  contentType: 'application/grpc-web+proto',
  needsHttp2: false,
  endFlag: trailerFlag,
  end: (error) =>
    error === undefined ? grpcWebOk : { bytes: encodeEnvelope(trailerFlag, trailerSerialize(errorTrailers(error))) },
};

const connect: LaneProtocol = {
  name: 'connect',
  contentType: 'application/connect+proto',
  needsHttp2: false,
  encodingHeader: 'connect-content-encoding',
  acceptEncodingHeader: 'connect-accept-encoding',
  timeoutHeader: 'connect-timeout-ms',
  parseTimeout: parseConnectTimeout,
  endFlag: endStreamFlag,
  end: (error) => {
    if (error === undefined) return connectOk;
    const json = JSON.stringify(endStreamToJson(new Headers(), error, undefined));
    return { bytes: encodeEnvelope(endStreamFlag, Buffer.from(json)) };
  },
};

function errorTrailers(error: ConnectError): Headers {
  return setTrailerStatus(new Headers(), error);
}

const byContentType = new Map<string, LaneProtocol>([
  ['application/grpc', grpc],
  ['application/grpc+proto', grpc],
  ['application/grpc-web', grpcWeb],
  ['application/grpc-web+proto', grpcWeb],
  ['application/connect+proto', connect],
]);

/** Undefined for what the lane leaves to the stock handler. */
export function laneProtocol(contentType: string | undefined): LaneProtocol | undefined {
  return contentType === undefined ? undefined : byContentType.get(contentType);
}
