// How the server is put together, from the store up to the request listeners. Nothing listens yet, and nothing here has
// a default: see `config.ts`.

import { setMaxListeners } from 'node:events';
import { type Accounts, openAccounts } from '../api/auth/accounts.js';
import { passwordCost } from '../api/auth/password-hasher.js';
import { SignIn } from '../api/auth/sign-in.js';
import { callIds, callLogger, observeAll } from '../api/call-log.js';
import { CompleteTrees } from '../api/complete-trees.js';
import { createCors } from '../api/cors.js';
import { createFront } from '../api/front.js';
import { type HttpFace, httpFace } from '../api/http/http-handler.js';
import { createMetrics, type Snapshot } from '../api/http/metrics.js';
import type { PortParts } from '../api/port.js';
import type { RequestListener, RequestListeners } from '../api/request-listener.js';
import { Lane } from '../api/rpc/lane/lane.js';
import { rpcHandler } from '../api/rpc/rpc-handler.js';
import type { RpcParts } from '../api/rpc/rpc-parts.js';
import { ServingState } from '../api/rpc/serving-state.js';
import { admitCall } from '../api/rpc/token-admission.js';
import { TokenHolders } from '../api/rpc/token-holders.js';
import { TransportTokens } from '../api/rpc/transport-tokens.js';
import { StreamWindows } from '../api/stream-windows.js';
import { lmofFace } from '../api/tcp/lmof-face.js';
import { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { TurnBudget } from '../base/node/turn-budget.js';
import type { Random } from '../base/random.js';
import { LocalStore } from '../cas/local-store.js';
import { MeteredStore } from '../cas/metered-store.js';
import { composeFiles } from './compose-files.js';
import type { ListenAddress, ServerConfig } from './config.js';
import { openDataDirectory } from './data-directory.js';
import { guardsFor } from './guards.js';
import type { createLogger } from './logger.js';
import { openMetadata } from './open-metadata.js';
import { newSharedNumbers, type Sharing } from './sharing.js';

export interface ComposeParts {
  readonly config: ServerConfig;
  readonly logger: ReturnType<typeof createLogger>;
  readonly clock: Clock;
  readonly random: Random;
  /** Connections open now, on all ports. */
  connections(): number;
  /** `HOST:PORT` of the first listener, once there is one. */
  address(): string;
  /** What workers have counted. */
  workerSnapshots(): Promise<readonly Snapshot[]>;
}

export interface Composition {
  /** What workers are given and may ask; undefined over a store that cannot be shared. */
  readonly sharing: Sharing | undefined;
  readonly accounts: Pick<Accounts, 'exist'>;
  readonly serving: ServingState;
  readonly http: HttpFace;
  /** Ends calls that are still under way when a drain is over. */
  readonly shutdown: AbortController;
  /** Closes the store and all that stands on it. */
  close(): Promise<void>;
  /** Answers whatever comes in on one address. */
  listenersFor(address: ListenAddress): RequestListeners & Pick<PortParts, 'lmof'>;
}

export async function compose(parts: ComposeParts): Promise<Composition> {
  const { config, logger, clock, random, connections, address, workerSnapshots } = parts;
  const sharedNumbers = newSharedNumbers();
  const serving = new ServingState();
  const opened =
    config.store ??
    (await openDataDirectory({ config, logger, clock, random, onPoisoned: () => serving.stopWrites() }));
  const metadata = await openMetadata({ config, logger, clock, onPoisoned: () => serving.stopWrites() }).catch(
    async (error) => {
      await opened.close();
      throw error;
    },
  );
  const accounts = await openAccounts({
    kv: metadata.kv,
    clock,
    random,
    logger,
    passwordCost,
    onExist: () => Atomics.store(sharedNumbers.accountsExist, 0, 1),
  }).catch(async (error) => {
    await metadata.close();
    await opened.close();
    throw error;
  });
  const { gate } = accounts;
  const signIn = new SignIn({ accounts, clock, registrationRole: config.registrationRole });
  const tokens = new TransportTokens({ clock, random, nodeId: Buffer.from(random.bytes(2)).readUInt16BE() });
  const metrics = createMetrics({
    connections,
    once: { usage: () => opened.usage(), ignoredTokens: () => tokens.ignoredCount, others: workerSnapshots },
  });

  const shutdown = new AbortController();
  // Every call listens for the end of all.
  setMaxListeners(0, shutdown.signal);
  const nextCallId = callIds();
  const onCall = observeAll([metrics.observeCall, callLogger(logger)]);

  const budget = new ByteBudget(limits.streamBudgetBytes, sharedNumbers.budgetBytes);
  const windows = new StreamWindows(budget);
  const { store, cluster, maintenance, files, uploads, apiRoutes } = await composeFiles({
    config,
    logger,
    store: new MeteredStore({ store: opened, clock, observe: metrics.observeStore }),
    kv: metadata.kv,
    clock,
    random,
    budget,
    address,
    takesWrites: () => serving.status === 'serving',
  }).catch(async (error) => {
    await accounts.close();
    await metadata.close().finally(() => opened.close());
    throw error;
  });
  const http = httpFace({
    store,
    gate,
    clock,
    budget,
    windows,
    random,
    logger,
    metrics,
    apiRoutes,
    serving,
    nextCallId,
    onCall,
  });
  const lmof = lmofFace({
    files,
    cluster,
    gate,
    clock,
    budget: new ByteBudget(limits.lmofHeldBytesMax),
    logger,
    nextCallId,
    onCall,
  });
  const rpcParts: RpcParts = {
    store,
    logger,
    clock,
    gate,
    accounts: { accounts, signIn },
    kv: metadata.kv,
    members: metadata.members,
    tokens,
    tokenHolders: new TokenHolders(),
    transportTokens: config.transportTokens,
    serving,
    shutdown: shutdown.signal,
    advertise: config.advertise,
    recommendedConcurrency: config.recommendedConcurrency,
    negotiateConcurrency: config.negotiateConcurrency,
    lookups: new TurnBudget(limits.lookupSliceCountMax),
    completeTrees: opened instanceof LocalStore ? new CompleteTrees(() => opened.deletedCount) : undefined,
    budget,
    messageBudget: new ByteBudget(limits.messageBudgetBytes, sharedNumbers.messageBytes),
    windows,
    nextCallId,
    onCall,
  };
  const lane = config.lane ? new Lane(rpcParts) : undefined;
  const rpc = (fallback: RequestListener) => rpcHandler(rpcParts, fallback, lane);
  const cors = createCors(config.corsOrigins);
  const guardFor = guardsFor(config);

  const sharing: Sharing | undefined =
    opened instanceof LocalStore
      ? {
          store: opened,
          numbers: sharedNumbers,
          maintenance,
          gate,
          admit: (method, header, caller, session) => admitCall(rpcParts, method, header, caller, session),
        }
      : undefined;

  return {
    sharing,
    accounts,
    serving,
    http,
    shutdown,
    async close() {
      await uploads.close();
      await cluster.close();
      await accounts.close();
      await metadata.close().finally(() => opened.close());
    },
    listenersFor: ({ face, host }) => ({
      ...createFront({
        guard: guardFor(host),
        cors,
        rpc: face === 'http' ? undefined : rpc,
        lane: face === 'http' ? undefined : lane,
        http,
        windows,
        servesHttp: face !== 'grpc',
        serving,
      }),
      lmof: face === 'all' ? lmof : undefined,
    }),
  };
}
