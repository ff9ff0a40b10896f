// A node of a Raft group in a thread of its own, as the rest of the server sees it: metadata, and who keeps it.

import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../base/errors.js';
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

export interface RaftThreadParts {
  readonly data: RaftWorkerData;
  readonly logger: Pick<ReturnType<typeof createLogger>, 'info' | 'warn' | 'fatal'>;
  /** Called once, when the node takes no more writes, or its thread has ended although nobody asked it to. */
  readonly onFailed: () => void;
  /** The module that the thread runs; a node of a group unless it is given. */
  readonly script?: URL | undefined;
}

/** Resolves when the node takes part in its group. */
export async function startRaftThread({ data, logger, onFailed, script }: RaftThreadParts): Promise<RaftThread> {
  const worker = new Worker(script ?? new URL('raft-worker.js', import.meta.url), { workerData: data });
  let hasFailed = false;
  const fail = () => {
    if (!hasFailed) onFailed();
    hasFailed = true;
  };
  const link = new ThreadLink(worker, {
    log: ({ level, fields, message }: { level: 'info' | 'warn'; fields: object; message: string }) =>
      logger[level](fields, message),
    failed(failure: { code: ErrorCode; message: string }) {
      logger.fatal(failure, 'the metadata of this node has failed: restart it when its disk is well');
      fail();
    },
  });
  let closing: Promise<void> | undefined;
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      link.end();
      if (closing === undefined) fail();
      resolve();
    });
  });
  worker.on('error', (err) => logger.fatal({ err }, 'the thread of the metadata has failed'));
  const close = () => {
    closing ??= link
      .ask('close', undefined)
      .catch(() => {})
      .then(() => worker.terminate())
      .then(() => exited);
    return closing;
  };
  try {
    await link.ask('open', undefined);
  } catch (error) {
    await close();
    throw error;
  }
  return { kv: { ...linkedKv(link), close }, members: linkedMembers(link) };
}
