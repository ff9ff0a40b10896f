// The ways a client can speak to the server: protocol, encoding, compression of requests, HTTP version.

import type { Transport as ClientTransport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';

export interface Face {
  readonly name: string;
  /** Bidirectional streams need HTTP/2. */
  readonly supportsBidi: boolean;
  readonly isJson: boolean;
  /** A client's transport; `close` ends its connections. */
  connect(baseUrl: string): { readonly transport: ClientTransport; close(): void };
}

const gzipped = { sendCompression: compressionGzip, compressMinBytes: 0 };

interface Encoding {
  readonly name: string;
  readonly isJson: boolean;
  readonly options: object;
}

const binary: Encoding = { name: 'binary', isJson: false, options: { useBinaryFormat: true } };
const json: Encoding = { name: 'JSON', isJson: true, options: { useBinaryFormat: false } };
const zipped: Encoding = { name: 'gzip', isJson: false, options: { useBinaryFormat: true, ...gzipped } };

function overHttp1(
  protocol: string,
  encoding: Encoding,
  create: typeof createConnectTransport | typeof createGrpcWebTransport,
): Face {
  return {
    name: `${protocol}, ${encoding.name}, HTTP/1.1`,
    supportsBidi: false,
    isJson: encoding.isJson,
    connect: (baseUrl) => ({
      transport: create({ baseUrl, httpVersion: '1.1', ...encoding.options }),
      close: () => {},
    }),
  };
}

function overHttp2(
  protocol: string,
  encoding: Encoding,
  create: typeof createConnectTransport | typeof createGrpcWebTransport | typeof createGrpcTransport,
): Face {
  return {
    name: `${protocol}, ${encoding.name}, HTTP/2`,
    supportsBidi: true,
    isJson: encoding.isJson,
    connect(baseUrl) {
      // With the default of 10 MB a session that holds an unsent chunk of 16 MiB refuses the headers of an early answer.
      const sessionManager = new Http2SessionManager(baseUrl, {}, { maxSessionMemory: 128 });
      const options = { baseUrl, httpVersion: '2' as const, sessionManager, ...encoding.options };
      return { transport: create(options), close: () => sessionManager.abort() };
    },
  };
}

export const grpcFace: Face = overHttp2('gRPC', binary, createGrpcTransport);

export const faces: readonly Face[] = [
  overHttp1('Connect', binary, createConnectTransport),
  overHttp1('Connect', json, createConnectTransport),
  overHttp1('Connect', zipped, createConnectTransport),
  overHttp1('gRPC-Web', binary, createGrpcWebTransport),
  overHttp2('Connect', binary, createConnectTransport),
  overHttp2('Connect', json, createConnectTransport),
  overHttp2('Connect', zipped, createConnectTransport),
  overHttp2('gRPC-Web', binary, createGrpcWebTransport),
  overHttp2('gRPC-Web', zipped, createGrpcWebTransport),
  overHttp2('gRPC-Web', json, createGrpcWebTransport),
  overHttp2('gRPC', zipped, createGrpcTransport),
  overHttp2('gRPC', json, createGrpcTransport),
  grpcFace,
];
