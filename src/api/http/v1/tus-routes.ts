// The tus protocol, version 1.0 (tus.io), over the same sessions as the routes beside it. `@tus/server` speaks it; requests
// and answers pass through here, so that bodies are read, and errors are answered, as everywhere else.

import { ReadableStream } from 'node:stream/web';
import { type Locker, Server } from '@tus/server';
import { CairnError, type ErrorCode } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import type { Exchange } from '../exchange.js';
import { readBody } from '../request-body.js';
import type { Route, RouteMethod } from '../router.js';
import { TusStore } from './tus-store.js';
import type { UploadRoutesParts } from './upload-routes.js';

const path = '/api/v1/tus';

/** Sessions themselves see to it that one request at a time brings them bytes. */
const noLocks: Locker = { newLock: () => ({ lock: async () => {}, unlock: async () => {} }) };

export function tusRoutes({ uploads, cluster }: UploadRoutesParts): Route[] {
  const store = new TusStore(uploads);
  const failures = new WeakMap<object, unknown>();
  const server = new Server({
    path,
    datastore: store,
    locker: noLocks,
    // Whatever name the client calls us by.
    relativeLocation: true,
    maxSize: limits.blobBytesMax,
    // Other origins are let in by the front, or not at all.
    allowedOrigins: () => false,
    onUploadFinish: async (_request, { id }) => ({ headers: { 'X-File-Id': (await uploads.complete(id)).fileId } }),
    onResponseError(request, error) {
      failures.set(request, error);
      return undefined;
    },
  });

  async function handle(exchange: Exchange): Promise<void> {
    if (exchange.method === 'POST' || exchange.method === 'PATCH') cluster.refuseWrites();
    const request = webRequest(exchange);
    const response = await server.handleWeb(request);
    const text = await response.text();
    const headers = headersOf(response);
    if (response.status < 400) exchange.answer(response.status, headers, Buffer.from(text));
    else answerFailure(exchange, failures.get(request), response.status, text, headers);
  }

  const writes: RouteMethod = { need: 'write', handle };
  const reads: RouteMethod = { need: 'read', handle };
  const discovers: RouteMethod = { need: 'public', handle };
  return [
    { path, methods: { POST: writes, OPTIONS: discovers } },
    { path: `${path}/{upload_id}`, methods: { GET: reads, PATCH: writes, DELETE: writes, OPTIONS: discovers } },
  ];
}

function webRequest(exchange: Exchange): Request {
  const { method, request } = exchange;
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(':') && value !== undefined)
      headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const hasBody = method === 'POST' || method === 'PATCH';
  const body = hasBody ? { body: ReadableStream.from(readBody(exchange)), duplex: 'half' as const } : {};
  return new Request(`http://localhost${exchange.path}`, { method, headers, ...body });
}

/** Those of the answer itself: its length is counted again, and who may read it is the front's. */
function headersOf(response: Response): Record<string, string> {
  const kept = [...response.headers].filter(
    ([name]) => !/^(content-(length|type)|connection|access-control-.*)$/.test(name),
  );
  return Object.fromEntries(kept);
}

/** What `@tus/server` refuses by itself has a status and a text; what sessions refuse is an error of ours. */
function answerFailure(
  exchange: Exchange,
  failure: unknown,
  status: number,
  text: string,
  headers: Record<string, string>,
): void {
  if (failure instanceof Error) exchange.answerError(failure, headers);
  else exchange.answerError(new CairnError(codeOf[status] ?? 'invalid_argument', text.trim()), headers, status);
}

const codeOf: Readonly<Record<number, ErrorCode>> = {
  404: 'not_found',
  409: 'conflict',
  410: 'not_found',
  412: 'failed_precondition',
  413: 'too_large',
  500: 'internal',
  501: 'unimplemented',
};
