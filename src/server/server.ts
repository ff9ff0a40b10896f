// A server's life: compose, listen, drain, close. Whatever was opened is closed again when a later step fails.

import type { Socket } from 'node:net';
import type { Accounts } from '../api/auth/accounts.js';
import { isLoopback } from '../api/guard.js';
import { createListener, type Listener } from '../api/listener.js';
import { createPort, type Port } from '../api/port.js';
import { type Clock, systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { type Composition, compose } from './compose.js';
import type { Face, ServerConfig } from './config.js';
import { drainPorts } from './drain.js';
import { FaceWorkers } from './face-workers.js';
import { listenOn } from './listen-on.js';
import { createLogger } from './logger.js';
import { type OpenedTls, openTls } from './tls.js';
import { listenForTunnels, type TunnelEnds } from './tunnel.js';

export interface RunningServer {
  /** What it listens on, with the ports it was given, in the order of the configuration. */
  readonly listeners: readonly { readonly face: Face; readonly url: string }[];
  /**
   * Drains and stops: reports not serving, accepts nothing more, lets calls under way end up to the drain timeout, breaks
   * off the rest, closes the store. May be called again.
   */
  close(): Promise<void>;
  /** Reads the files of the certificates anew, where there are any. Never rejects: what is wrong with them is logged. */
  reloadCertificates(): Promise<void>;
  /** Resolves when the server can no longer do its work and should be ended: a worker has failed. */
  readonly failed: Promise<Error>;
}

/** What has to be stopped, as far as it was started. */
interface Stopping {
  readonly composition: Composition;
  readonly ports: readonly Port[];
  readonly clock: Clock;
  workers?: FaceWorkers;
  tunnels?: TunnelEnds;
  /** Listeners whose connections the workers serve. */
  readonly doors: Listener[];
}

/**
 * Resolves when every address is being served. `failed_precondition` for an address that is not loopback without
 * `insecure`, `unavailable` for one that cannot be had; and whatever opening the store fails with.
 */
export async function startServer(config: ServerConfig): Promise<RunningServer> {
  refuseExposedPeers(config);
  const clock = systemClock;
  const logger = createLogger(config.logLevel);
  const ports: Port[] = [];
  // Workers count their own; what reaches the owner then came through them.
  const connections = () => (config.workers > 0 ? 0 : ports.reduce((sum, port) => sum + port.connections(), 0));
  const workerSnapshots = async () => (await stopping.workers?.snapshots()) ?? [];
  const listeners: { face: Face; url: string }[] = [];
  const address = () => listeners[0]?.url.replace(/^https?:\/\//, '') ?? '';
  const composition = await compose({
    config,
    logger,
    clock,
    random: systemRandom,
    connections,
    address,
    workerSnapshots,
  });
  const stopping: Stopping = { composition, ports, clock, doors: [] };
  let fail = (_error: Error) => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });

  let tls: OpenedTls | undefined;
  try {
    refuseExposure(config, composition.accounts);
    if (config.workers === 0) tls = config.tls && (await openTls(config.tls, clock, logger));
    for (const address of config.listen)
      ports.push(createPort({ ...composition.listenersFor(address), tls: tls?.end, clock }));
    if (config.workers > 0) {
      await startWorkers(config, stopping, (error) => {
        logger.fatal({ err: error }, 'a worker has failed');
        fail(error);
      });
    }
    for (const [index, address] of config.listen.entries()) {
      const bound = await listenOn(stopping.doors[index] ?? ports[index]!, address);
      listeners.push({ face: address.face, url: urlOf(config, address.host, bound) });
    }
  } catch (error) {
    tls?.files.close();
    await stop(stopping, 0);
    throw error;
  }
  logger.info({ listeners }, 'listening');

  let closing: Promise<void> | undefined;
  return {
    listeners,
    failed,
    reloadCertificates: async () => {
      await tls?.files.reload();
      await stopping.workers?.reloadCertificates();
    },
    close() {
      tls?.files.close();
      closing ??= stop(stopping, config.drainMilliseconds).then(() => logger.info('closed'));
      return closing;
    },
  };
}

/** Nodes that do not prove who they are must not be reached by others. */
function refuseExposedPeers({ meta, raft, insecure }: ServerConfig): void {
  if (meta === 'raft' && raft.tls === undefined && !insecure && !isLoopback(raft.listen.host)) {
    throw new CairnError(
      'failed_precondition',
      `${raft.listen.host} can be reached from other machines, and nodes would not know each other: ` +
        'give --peer-tls-cert, --peer-tls-key and --peer-tls-ca, or say --insecure to believe everybody',
    );
  }
}

/** Without accounts, who can reach the server can read and delete: that must be asked for. */
function refuseExposure({ listen, insecure, data }: ServerConfig, accounts: Pick<Accounts, 'exist'>): void {
  const exposed = listen.find(({ host }) => !isLoopback(host));
  if (exposed === undefined || insecure || accounts.exist()) return;
  throw new CairnError(
    'failed_precondition',
    `${exposed.host} can be reached from other machines, and there are no accounts: make one with ` +
      `cairn user add NAME --role admin --data ${data}, or listen on 127.0.0.1, or say --insecure to serve everybody`,
  );
}

/** From now on the workers serve what comes in at the doors. */
async function startWorkers(
  config: ServerConfig,
  stopping: Stopping,
  onFailure: (error: Error) => void,
): Promise<void> {
  const { sharing, serving } = stopping.composition;
  if (sharing === undefined) throw new CairnError('failed_precondition', 'workers need the store of a data directory');
  stopping.tunnels = await listenForTunnels(stopping.ports.map((port) => (socket: Socket) => port.adopt(socket)));
  const workers = await FaceWorkers.start({ config, sharing, tunnels: stopping.tunnels.paths, onFailure });
  stopping.workers = workers;
  for (const index of config.listen.keys())
    stopping.doors.push(createListener((socket) => workers.give(socket, index), true));
  serving.changed.addEventListener('abort', () => {
    if (serving.status === 'read_only') workers.stopWrites();
  });
}

function urlOf({ tls }: Pick<ServerConfig, 'tls'>, host: string, port: number): string {
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function stop({ composition, ports, clock, doors, workers, tunnels }: Stopping, milliseconds: number) {
  const { serving, shutdown, http } = composition;
  serving.drain();
  for (const door of doors) if (door.isListening) void door.close();
  if (workers !== undefined) {
    // What they forwarded goes on as long as they do.
    const cancel = clock.after(milliseconds, () =>
      shutdown.abort(new CairnError('unavailable', 'the server is stopping')),
    );
    await workers.drain(milliseconds);
    cancel();
  }
  await tunnels?.close();
  await drainPorts(ports, shutdown, clock, workers === undefined ? milliseconds : 0);
  await http.settled();
  await composition.close();
}
