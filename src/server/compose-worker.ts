// How a worker is put together: the lane and blobs over plain HTTP, over the owner's store, which it reads by itself. It knows
// nothing else; whatever else is asked it forwards to the owner.

import { setMaxListeners } from 'node:events';
import type { Gate } from '../api/auth/gate.js';
import { everybody, type Principal } from '../api/auth/principal.js';
import { callIds, callLogger, observeAll } from '../api/call-log.js';
import { createCors } from '../api/cors.js';
import { createFront } from '../api/front.js';
import { type HttpFace, httpFace } from '../api/http/http-handler.js';
import { createMetrics, type Metrics } from '../api/http/metrics.js';
import type { PortParts } from '../api/port.js';
import type { NodeRequest, RequestListener, RequestListeners } from '../api/request-listener.js';
import { Lane } from '../api/rpc/lane/lane.js';
import type { Admission } from '../api/rpc/rpc-parts.js';
import { ServingState } from '../api/rpc/serving-state.js';
import { TokenHolders } from '../api/rpc/token-holders.js';
import { TransportTokens } from '../api/rpc/transport-tokens.js';
import { StreamWindows } from '../api/stream-windows.js';
import { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { TurnBudget } from '../base/node/turn-budget.js';
import type { Random } from '../base/random.js';
import { MeteredStore } from '../cas/metered-store.js';
import type { SharedStore } from '../cas/shared-store.js';
import type { ListenAddress, ServerConfig } from './config.js';
import type { Forwarder } from './forwarder.js';
import { guardsFor } from './guards.js';
import type { createLogger } from './logger.js';
import type { AskedAdmission, SharedNumbers } from './sharing.js';
import type { ThreadLink } from './thread-link.js';

export type WorkerConfig = Pick<
  ServerConfig,
  | 'listen'
  | 'lane'
  | 'transportTokens'
  | 'negotiateConcurrency'
  | 'recommendedConcurrency'
  | 'advertise'
  | 'corsOrigins'
  | 'allowedHosts'
  | 'tls'
  | 'logLevel'
>;

export interface ComposeWorkerParts {
  readonly config: WorkerConfig;
  /** Tells its calls from those of others, in the log. */
  readonly name: string;
  readonly store: SharedStore;
  readonly numbers: SharedNumbers;
  readonly owner: ThreadLink;
  readonly logger: ReturnType<typeof createLogger>;
  readonly clock: Clock;
  readonly random: Random;
  connections(): number;
}

export interface WorkerComposition {
  readonly serving: ServingState;
  readonly metrics: Metrics;
  readonly http: HttpFace;
  readonly shutdown: AbortController;
  listenersFor(address: ListenAddress, forwarder: Forwarder): RequestListeners & Pick<PortParts, 'lmof'>;
}

export function composeWorker(parts: ComposeWorkerParts): WorkerComposition {
  const { config, name, numbers, owner, logger, clock, random, connections } = parts;
  const serving = new ServingState();
  const metrics = createMetrics({ connections });
  const store = new MeteredStore({ store: parts.store, clock, observe: metrics.observeStore });
  const shutdown = new AbortController();
  setMaxListeners(0, shutdown.signal);
  const ids = callIds();
  const nextCallId = () => `${name}.${ids()}`;
  const onCall = observeAll([metrics.observeCall, callLogger(logger)]);
  const budget = new ByteBudget(limits.streamBudgetBytes, numbers.budgetBytes);
  const windows = new StreamWindows(budget);
  const hasAccounts = () => Atomics.load(numbers.accountsExist, 0) !== 0;
  const gate: Gate = {
    admit: (caller, need) => (hasAccounts() ? owner.ask<Principal>('pass', { caller, need }) : everybody),
  };
  const shared = { store, gate, clock, budget, windows, logger, serving, nextCallId, onCall };
  const http = httpFace({ ...shared, random, metrics });
  const lane = new Lane({
    ...shared,
    admit: admission(owner, hasAccounts, config.transportTokens),
    // The owner's are asked: see `admit`.
    tokens: new TransportTokens({ clock, random, nodeId: 0 }),
    tokenHolders: new TokenHolders(),
    transportTokens: config.transportTokens,
    shutdown: shutdown.signal,
    advertise: config.advertise,
    recommendedConcurrency: config.recommendedConcurrency,
    negotiateConcurrency: config.negotiateConcurrency,
    lookups: new TurnBudget(limits.lookupSliceCountMax),
    messageBudget: new ByteBudget(limits.messageBudgetBytes, numbers.messageBytes),
  });
  const cors = createCors(config.corsOrigins);
  const guardFor = guardsFor(config);

  return {
    serving,
    metrics,
    http,
    shutdown,
    listenersFor({ face, host }, forwarder) {
      const ownLane = face === 'http' || !config.lane ? undefined : lane;
      const front = createFront({
        guard: guardFor(host),
        cors,
        rpc: undefined,
        lane: ownLane,
        http: { ...http, handler: laneOr(ownLane, http.handler) },
        windows,
        servesHttp: true,
        serving,
      });
      const isOwn = (request: NodeRequest) =>
        (face !== 'grpc' && isBlobPath(request.url)) || ownLane?.wantsRequest(request) === true;
      return {
        lmof: face === 'all' ? (socket) => forwarder.connection(socket) : undefined,
        handler(request, response) {
          if (isOwn(request)) front.handler(request, response);
          else forwarder.request(request, response);
        },
        streams(stream, headers) {
          if (front.streams(stream, headers)) return true;
          if (face !== 'grpc' && isBlobPath(headers[':path'])) return false;
          forwarder.stream(stream, headers);
          return true;
        },
      };
    },
  };
}

function isBlobPath(path: string | undefined): boolean {
  return path === '/blobs' || path?.startsWith('/blobs/') === true || path?.startsWith('/blobs?') === true;
}

function laneOr(lane: Lane | undefined, fallback: RequestListener): RequestListener {
  return (request, response) => {
    if (lane?.takesRequest(request, response) !== true) fallback(request, response);
  };
}

const tokenHeaders = ['authorization', 'x-cairn-transport-token'];

/**
 * Asks the owner, whose tokens and accounts they are, unless the answer is known: where nobody has an account and tokens are
 * optional everybody may come in, and a token only has to be counted the first time a session shows it.
 */
function admission(
  owner: ThreadLink,
  hasAccounts: () => boolean,
  transportTokens: ServerConfig['transportTokens'],
): Admission {
  const sessions = new WeakMap<object, { readonly id: number; readonly seen: Set<string> }>();
  let lastId = 0;
  const stateOf = (session: object) => {
    let state = sessions.get(session);
    if (state === undefined) {
      const id = ++lastId;
      state = { id, seen: new Set() };
      sessions.set(session, state);
      (session as { once?(event: 'close', listener: () => void): void }).once?.('close', () =>
        owner.tell('sessionEnded', id),
      );
    }
    return state;
  };
  return (method, header, caller, session) => {
    const presented = tokenHeaders.flatMap((name) => header.get(name) ?? []).join(' ');
    const isOpen = !hasAccounts() && transportTokens === 'optional';
    if (isOpen && presented === '') return everybody;
    const state = session && stateOf(session);
    if (isOpen && state?.seen.has(presented)) return everybody;
    const headers: Record<string, string> = {};
    for (const name of tokenHeaders) {
      const value = header.get(name);
      if (value !== null) headers[name] = value;
    }
    const question: AskedAdmission = { method, headers, caller, session: state?.id };
    return owner.ask<Principal>('admit', question).then((principal) => {
      if (state !== undefined && state.seen.size < limits.tokensPerSessionCountMax) state.seen.add(presented);
      return principal;
    });
  };
}
