// A node of a Raft group in a thread of its own, as the rest of the server sees it: metadata, and who keeps it.

import { Worker } from 'node:worker_threads';
import { CairnError, type ErrorCode } from '../base/errors.js';
import type { KvStore } from '../meta/kv.js';
import type { Members } from '../meta/raft/members.js';
import { linkedKv } from './kv-link.js';
import type { createLogger } from './logger.js';
import { linkedMembers } from './member-link.js';
import type { RaftWorkerData } from './raft-worker.js';
import { ThreadLink } from './thread-link.js';

export interface RaftThread {
  readonly kv: KvStore;
  readonly members: Members;
}

/** Resolves when the node takes part in its group. The signal ends the waiting for others. */
export async function startRaftThread(
  data: RaftWorkerData,
  logger: ReturnType<typeof createLogger>,
  signal?: AbortSignal,
): Promise<RaftThread> {
  const worker = new Worker(new URL('raft-worker.js', import.meta.url), { workerData: data });
  const link = new ThreadLink(worker, {
    log: ({ level, fields, message }: { level: 'info' | 'warn'; fields: object; message: string }) =>
      logger[level](fields, message),
    failed: (failure: { code: ErrorCode; message: string }) =>
      logger.fatal(failure, 'the metadata of this node has failed: restart it when its disk is well'),
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      link.end();
      resolve();
    });
  });
  worker.on('error', (err) => logger.fatal({ err }, 'the thread of the metadata has failed'));
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= link
      .ask('close', undefined)
      .catch(() => {})
      .then(() => worker.terminate())
      .then(() => exited);
    return closing;
  };
  try {
    await link.ask('open', undefined, signal);
    if (signal?.aborted) throw new CairnError('canceled', 'the server is being stopped');
  } catch (error) {
    await close();
    throw error;
  }
  return { kv: { ...linkedKv(link), close }, members: linkedMembers(link) };
}
