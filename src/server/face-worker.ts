// A worker thread: serves the connections that it is given, answers what it can, forwards the rest. It lives as long as the
// process. When it fails, the process ends, since its connections cannot be given to another.

import { parentPort, workerData } from 'node:worker_threads';
import { createPort, type Port } from '../api/port.js';
import { systemClock } from '../base/clock.js';
import { assert } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { SharedStore } from '../cas/shared-store.js';
import type { SharedChange, SharedParts } from '../cas/store-owner.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { composeWorker, type WorkerConfig } from './compose-worker.js';
import { drainPorts } from './drain.js';
import { Forwarder } from './forwarder.js';
import { createLogger } from './logger.js';
import type { SharedNumbers } from './sharing.js';
import { receiveSockets } from './socket-pipe.js';
import { linkedOwner } from './store-link.js';
import { ThreadLink, toPlainError } from './thread-link.js';
import { type OpenedTls, openTls } from './tls.js';

export interface WorkerStart {
  readonly index: number;
  readonly config: WorkerConfig;
  readonly shared: SharedParts;
  readonly numbers: SharedNumbers;
  /** The owner's end of the tunnel of each address. */
  readonly tunnels: readonly string[];
  /** Where connections come from, each with its address's place in the configuration. */
  readonly sockets: string;
  /** Connections that each worker has, at its index. */
  readonly held: Int32Array;
}

async function run(start: WorkerStart): Promise<void> {
  const { index, config, shared, numbers, tunnels, sockets, held } = start;
  const clock = systemClock;
  const random = systemRandom;
  const logger = createLogger(config.logLevel);
  const ports: Port[] = [];
  let tls: OpenedTls | undefined;
  assert(parentPort !== null, 'a face worker is a thread');
  const owner = new ThreadLink(parentPort, {
    changed: (change: SharedChange) => store.changed(change),
    snapshot: () => composition.metrics.snapshot(),
    stopWrites: () => composition.serving.stopWrites(),
    reloadCertificates: () => tls?.files.reload(),
    async drain(milliseconds: number) {
      composition.serving.drain();
      tls?.files.close();
      await drainPorts(ports, composition.shutdown, clock, milliseconds);
      await composition.http.settled();
      await store.close();
    },
  });
  const store = new SharedStore({ shared, owner: linkedOwner(owner), fs: nodeFileSystem, clock, random });
  const connections = () => ports.reduce((sum, port) => sum + port.connections(), 0);
  const composition = composeWorker({
    config,
    name: String(index + 1),
    store,
    numbers,
    owner,
    logger,
    clock,
    random,
    connections,
  });
  try {
    tls = config.tls && (await openTls(config.tls, clock, logger));
    for (const [at, address] of config.listen.entries()) {
      const forwarder = new Forwarder(tunnels[at]!, clock);
      const port = createPort({ ...composition.listenersFor(address, forwarder), tls: tls?.end, clock });
      ports.push(port);
    }
    await receiveSockets(sockets, (socket, at) => {
      const gone = () => Atomics.sub(held, index, 1);
      if (socket === undefined) gone();
      else ports[at]!.accept(socket.once('close', gone));
    });
  } catch (error) {
    owner.tell('failed', toPlainError(error));
    return;
  }
  owner.tell('ready', undefined);
}

await run(workerData as WorkerStart);
