// The workers of a server, as its owner's thread sees them: started one after the other, asked together. The first makes the
// listening sockets, the others listen on the same: a connection goes to whichever is first to take it.

import { Worker } from 'node:worker_threads';
import type { Snapshot } from '../api/http/metrics.js';
import { CairnError } from '../base/errors.js';
import type { WorkerConfig } from './compose-worker.js';
import type { ServerConfig } from './config.js';
import type { WorkerListening, WorkerStart } from './face-worker.js';
import { type Sharing, shareWith } from './sharing.js';
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
  #failed = false;
  #draining = false;

  private constructor(parts: FaceWorkersParts) {
    this.#parts = parts;
  }

  /** Answers the ports of the addresses. `unavailable` when one of them cannot be had. */
  static async start(parts: FaceWorkersParts): Promise<{ readonly workers: FaceWorkers; readonly ports: number[] }> {
    const workers = new FaceWorkers(parts);
    const listening = await workers.#start(undefined);
    const descriptors = listening.map(({ fd }) => fd);
    for (let index = 1; index < parts.config.workers; index++) await workers.#start(descriptors);
    return { workers, ports: listening.map(({ port }) => port) };
  }

  async #start(descriptors: readonly number[] | undefined): Promise<WorkerListening> {
    const { config, sharing, tunnels } = this.#parts;
    const index = this.#workers.length + 1;
    let changed: Parameters<typeof shareWith>[1] = () => {};
    const { parts: shared, handlers } = shareWith(sharing, (change) => changed(change));
    const start: WorkerStart = {
      index,
      config: workerConfig(config),
      shared,
      numbers: sharing.numbers,
      tunnels,
      descriptors,
    };
    const thread = new Worker(this.#parts.script ?? faceWorker, { workerData: start, name: `faces ${index}` });
    return new Promise((resolve, reject) => {
      const link = new ThreadLink(thread, {
        ...handlers,
        ready: (listening: WorkerListening) => resolve(listening),
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

  /** Resolves when no worker has a connection left. The threads stay, idle, until the process ends. */
  async drain(milliseconds: number): Promise<void> {
    this.#draining = true;
    await Promise.all(this.#workers.map(({ link }) => link.ask('drain', milliseconds).catch(() => {})));
    for (const { thread } of this.#workers) thread.unref();
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
