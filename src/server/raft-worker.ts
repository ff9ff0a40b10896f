// The thread of a node's Raft: its log, its applied state, its port for the other nodes and its clock. Nothing that clients ask
// for can delay a heartbeat here.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.js';
import { systemRandom } from '../base/random.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { membersOf } from '../meta/raft/members.js';
import { RaftKv } from '../meta/raft/raft-kv.js';
import { RaftNode, type RaftNodeOptions } from '../meta/raft/raft-node.js';
import { kvHandlers } from './kv-link.js';
import { memberHandlers } from './member-link.js';
import { type Handlers, ThreadLink } from './thread-link.js';

export interface RaftWorkerData {
  readonly directory: string;
  readonly options: RaftNodeOptions;
}

const { directory, options } = workerData as RaftWorkerData;
const stop = new AbortController();
let kv: RaftKv | undefined;

const handlers: Record<string, Handlers[string]> = {
  /** Resolves when the node takes part, and can be asked. */
  async open() {
    const node = await RaftNode.open(
      {
        options,
        directory,
        fs: nodeFileSystem,
        clock: systemClock,
        random: systemRandom,
        logger: {
          info: (fields, message) => log('info', fields, message),
          warn: (fields, message) => log('warn', fields, message),
        },
        onFailed: ({ code, message }) => link.tell('failed', { code, message }),
      },
      stop.signal,
    );
    kv = new RaftKv(node);
    await untilReadable(node);
    Object.assign(handlers, kvHandlers(kv), memberHandlers(membersOf(node)));
  },
  async close() {
    stop.abort();
    await kv?.close();
  },
};

/** When all nodes start at once, they have to find their leader first. */
async function untilReadable(node: RaftNode): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await node.readable();
      return;
    } catch (err) {
      log('warn', { err }, 'waiting for a leader of the group');
    }
  }
}

const link = new ThreadLink(parentPort!, handlers);

function log(level: 'info' | 'warn', { err, ...fields }: { readonly err?: unknown }, message: string): void {
  // Errors do not survive the way to another thread.
  link.tell('log', { level, fields: { ...fields, ...(err !== undefined && { reason: String(err) }) }, message });
}
