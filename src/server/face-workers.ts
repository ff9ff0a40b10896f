// The workers of a server, as its owner's thread sees them: started together, asked together. The owner listens, and gives each
// connection to the worker that has the fewest; those that have equally many get them by turns.

import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Snapshot } from '../api/http/metrics.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { WorkerConfig } from './compose-worker.js';
import type { ServerConfig } from './config.js';
import type { WorkerStart } from './face-worker.js';
import { type Sharing, shareWith } from './sharing.js';
import { openSocketPipe, type SocketSender } from './socket-pipe.js';
import { type PlainError, ThreadLink, toPlainError } from './thread-link.js';

export interface FaceWorkersParts {
  readonly config: ServerConfig;
  readonly sharing: Sharing;
  readonly tunnels: readonly string[];
  /** The module that the threads run; a face worker unless it is given. */
  readonly script?: URL | undefined;
  /** Called once, when a worker has ended although nobody asked it to. */
  readonly onFailure: (error: Error) => void;
}

/** Worker threads load compiled code alone, so that from the sources the way leads over dist/ as well. */
const faceWorker = new URL(new URL('./face-worker.js', import.meta.url).href.replace('/src/server/', '/dist/server/'));

interface FaceWorker {
  readonly thread: Worker;
  readonly link: ThreadLink;
}

export class FaceWorkers {
  readonly #parts: FaceWorkersParts;
  readonly #workers: FaceWorker[] = [];
  #senders: readonly SocketSender[] = [];
  /** Connections that each has; taken down by the worker when one closes. */
  readonly #held: Int32Array;
  #last = 0;
  #failed = false;
  #draining = false;

  private constructor(parts: FaceWorkersParts) {
    this.#parts = parts;
    this.#held = new Int32Array(new SharedArrayBuffer(4 * parts.config.workers));
  }

  /** Resolves when all are ready to be given connections. */
  static async start(parts: FaceWorkersParts): Promise<FaceWorkers> {
    const workers = new FaceWorkers(parts);
    const starting = Array.from(workers.#held, (_, index) => workers.#start(index));
    try {
      workers.#senders = await Promise.all(starting);
      return workers;
    } catch (error) {
      for (const { thread } of workers.#workers) thread.unref();
      throw error;
    }
  }

  async #start(index: number): Promise<SocketSender> {
    const pipe = await openSocketPipe();
    try {
      await this.#run(index, pipe.path);
      return await pipe.sender;
    } finally {
      await pipe.close();
    }
  }

  /** Resolves when the thread is ready. */
  #run(index: number, sockets: string): Promise<void> {
    const { config, sharing, tunnels } = this.#parts;
    let changed: Parameters<typeof shareWith>[1] = () => {};
    const { parts: shared, handlers } = shareWith(sharing, (change) => changed(change));
    const start: WorkerStart = {
      index,
      config: workerConfig(config),
      shared,
      numbers: sharing.numbers,
      tunnels,
      sockets,
      held: this.#held,
    };
    const thread = new Worker(this.#parts.script ?? faceWorker, { workerData: start, name: `faces ${index + 1}` });
    return new Promise((resolve, reject) => {
      const link = new ThreadLink(thread, {
        ...handlers,
        ready: () => resolve(),
        failed: ({ code, message }: PlainError) => ended(new CairnError(code, message)),
      });
      changed = (change) => link.tell('changed', change);
      this.#workers.push({ thread, link });
      const ended = (error: unknown) => {
        link.end();
        const { code, message } = toPlainError(error);
        const cause = new CairnError(code, message, { cause: error });
        reject(cause);
        this.#fail(cause);
      };
      thread.on('error', ended);
      thread.on('exit', (code) => ended(new Error(`a worker ended with ${code}`)));
    });
  }

  /** Takes over a connection, which came in at one of the addresses and of which nothing was read. */
  give(socket: Socket, address: number): void {
    const held = this.#held;
    let chosen = 0;
    let fewest = Number.POSITIVE_INFINITY;
    let all = 0;
    for (let turn = 1; turn <= held.length; turn++) {
      const index = (this.#last + turn) % held.length;
      const count = Atomics.load(held, index);
      all += count;
      if (count >= fewest) continue;
      fewest = count;
      chosen = index;
    }
    if (all >= limits.connectionsCountMax) {
      socket.destroy();
      return;
    }
    this.#last = chosen;
    if (this.#senders[chosen]!.send(socket, address)) Atomics.add(held, chosen, 1);
  }

  #fail(error: Error): void {
    if (this.#failed || this.#draining) return;
    this.#failed = true;
    this.#parts.onFailure(error);
  }

  stopWrites(): void {
    for (const { link } of this.#workers) link.tell('stopWrites', undefined);
  }

  /** What each has counted. */
  snapshots(): Promise<Snapshot[]> {
    return Promise.all(this.#workers.map(({ link }) => link.ask<Snapshot>('snapshot', undefined)));
  }

  async reloadCertificates(): Promise<void> {
    await Promise.all(this.#workers.map(({ link }) => link.ask('reloadCertificates', undefined)));
  }

  /** Resolves when no worker has a connection left; nothing more must be given. The threads stay, idle, until the process ends. */
  async drain(milliseconds: number): Promise<void> {
    this.#draining = true;
    await Promise.all(this.#workers.map(({ link }) => link.ask('drain', milliseconds).catch(() => {})));
    for (const { thread } of this.#workers) thread.unref();
    for (const sender of this.#senders) sender.unref();
  }
}

function workerConfig(config: ServerConfig): WorkerConfig {
  const { listen, lane, transportTokens, negotiateConcurrency, recommendedConcurrency } = config;
  const { advertise, corsOrigins, allowedHosts, tls, logLevel } = config;
  return {
    listen,
    lane,
    transportTokens,
    negotiateConcurrency,
    recommendedConcurrency,
    advertise,
    corsOrigins,
    allowedHosts,
    tls,
    logLevel,
  };
}
