// The REST face as one request listener: blobs, trees, health and metrics, and the API of files. Every call ends in one
// record for the observer, also when the client went away or the handler failed.

import type { BlobStore } from '../../base/blob-store.js';
import type { CairnError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Gate } from '../auth/gate.js';
import type { CallObserver } from '../call-log.js';
import type { Logger } from '../logger.js';
import type { NodeRequest, NodeResponse, RequestListener } from '../request-listener.js';
import { connectionOfRequest } from '../rpc/peer.js';
import type { ServingStatus } from '../rpc/serving-state.js';
import { Exchange, type ExchangeParts } from './exchange.js';
import type { Metrics } from './metrics.js';
import { readBlob } from './read-blob.js';
import { type Found, type Route, Router } from './router.js';
import { serveTree, serveTreeArchive } from './serve-tree.js';
import { deleteBlob, postBlob, putBlob } from './write-blob.js';

export interface HttpParts extends ExchangeParts {
  readonly store: BlobStore;
  /** Asked about every request before its body is read. */
  readonly gate: Gate;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of the API of files, where it is served. */
  readonly apiRoutes?: readonly Route[] | undefined;
  /** What /healthz says. */
  readonly serving: { readonly status: ServingStatus };
  nextCallId(): string;
  readonly onCall: CallObserver;
}

export interface HttpFace {
  readonly handler: RequestListener;
  /** Answers any request with an error, in the form of this face. */
  refuse(request: NodeRequest, response: NodeResponse, error: CairnError): void;
  /** Resolves when no handler is at work. */
  settled(): Promise<void>;
}

export function httpFace(parts: HttpParts): HttpFace {
  const router = new Router([...routes(parts), ...(parts.apiRoutes ?? [])]);
  const underWay = new Set<Promise<void>>();

  function run(exchange: Exchange, peer: string, { name, handle }: Pick<Found, 'name' | 'handle'>): void {
    const started = parts.clock.monotonic();
    const id = parts.nextCallId();
    const call = ended(exchange, handle).then(() => {
      underWay.delete(call);
      const { account, code, bytesIn, bytesOut, fault } = exchange;
      if (fault !== undefined) parts.logger.error({ err: fault, code, method: name, call: id }, 'call failed');
      const milliseconds = parts.clock.monotonic() - started;
      parts.onCall({ id, peer, account, protocol: 'http', method: name, code, bytesIn, bytesOut, milliseconds });
    });
    underWay.add(call);
  }

  return {
    handler(request, response) {
      const exchange = new Exchange(request, response, parts);
      const { name, need, handle } = router.find(exchange.method, exchange.path);
      const connection = connectionOfRequest(request);
      run(exchange, connection.peer, {
        name,
        async handle() {
          const { address, certificateName } = connection;
          const authorization = exchange.header('authorization');
          const admitted = parts.gate.admit({ authorization, address, certificateName }, need);
          exchange.account = (admitted instanceof Promise ? await admitted : admitted).name;
          await handle(exchange);
        },
      });
    },
    refuse(request, response, error) {
      const exchange = new Exchange(request, response, parts);
      run(exchange, connectionOfRequest(request).peer, { name: 'refused', handle: () => exchange.answerError(error) });
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}

/** Resolves when the call was handled, or failed, and nothing more can be sent. */
async function ended(exchange: Exchange, handle: Found['handle']): Promise<void> {
  try {
    await handle(exchange);
  } catch (error) {
    exchange.answerError(error);
  }
  await exchange.whenClosed;
}

function routes(parts: HttpParts): Route[] {
  const { store, metrics, serving } = parts;
  return [
    {
      path: '/blobs/{hash}',
      methods: {
        GET: { need: 'read', handle: (exchange, hash) => readBlob(parts, exchange, hash) },
        PUT: { need: 'write', handle: (exchange, hash) => putBlob(store, exchange, hash) },
        DELETE: { need: 'delete', handle: (exchange, hash) => deleteBlob(store, exchange, hash) },
      },
    },
    { path: '/blobs', methods: { POST: { need: 'write', handle: (exchange) => postBlob(store, exchange) } } },
    {
      path: '/trees/{tree}.tar',
      methods: { GET: { need: 'read', handle: (exchange, tree) => serveTreeArchive(parts, exchange, tree) } },
    },
    {
      path: '/trees/{tree}',
      methods: { GET: { need: 'read', handle: (exchange, tree) => serveTree(parts, exchange, tree, '') } },
    },
    {
      path: '/trees/{tree}/{path...}',
      methods: {
        GET: { need: 'read', handle: (exchange, tree, path) => serveTree(parts, exchange, tree, `/${path}`) },
      },
    },
    {
      path: '/healthz',
      methods: {
        // Load balancers have no accounts.
        GET: {
          need: 'public',
          handle(exchange) {
            const { status } = serving;
            exchange.answerJson(status === 'serving' ? 200 : 503, { status }, { 'cache-control': 'no-store' });
          },
        },
      },
    },
    {
      path: '/metrics',
      methods: {
        // They tell how much is stored, and what is called how often.
        GET: {
          need: 'read',
          async handle(exchange) {
            const headers = { 'content-type': metrics.contentType, 'cache-control': 'no-store' };
            exchange.answer(200, headers, Buffer.from(await metrics.render()));
          },
        },
      },
    },
  ];
}
