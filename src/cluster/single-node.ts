// A cluster of one: this process is its only master and its only datanode. What has no second machine to do it with, such
// as rebalancing, is done at once.

import type { BlobStore } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import type { BlobHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type {
  Cluster,
  ClusterInfo,
  NodeInfo,
  NodeRole,
  RebalanceInfo,
  RebalanceStrategy,
  RecoveryPriority,
  RecoveryTask,
} from './cluster.js';
import type { Maintenance } from './maintenance.js';
import { Recovery } from './recovery.js';

export interface SingleNodeParts {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly roles: readonly NodeRole[];
  readonly store: BlobStore;
  readonly maintenance: Maintenance;
  readonly clock: Clock;
  readonly random: Random;
  /** `HOST:PORT` of the first listener. */
  address(): string;
  /** Bytes that the disk below the store has left. */
  freeBytes(): Promise<number>;
  /** Whether the store still takes writes, maintenance aside. */
  takesWrites(): boolean;
}

export class SingleNode implements Cluster {
  readonly #parts: SingleNodeParts;
  readonly #recovery: Recovery;
  #rebalance: RebalanceInfo = {
    state: 'idle',
    migratedChunks: 0,
    totalChunks: 0,
    startedAt: undefined,
    estimatedCompletion: undefined,
  };

  constructor(parts: SingleNodeParts) {
    this.#parts = parts;
    this.#recovery = new Recovery(parts);
  }

  async info(): Promise<ClusterInfo> {
    const { clusterId, maintenance, takesWrites } = this.#parts;
    return {
      clusterId,
      isHealthy: !maintenance.active && takesWrites(),
      nodes: [await this.#node()],
    };
  }

  async #node(): Promise<NodeInfo> {
    const { nodeId, address, store, maintenance, clock, freeBytes } = this.#parts;
    const [{ blobs, bytes }, availableBytes] = await Promise.all([store.usage(), freeBytes()]);
    return {
      nodeId,
      address: address(),
      roles: this.#parts.roles,
      state: maintenance.active ? 'maintenance' : 'online',
      capacityBytes: bytes + availableBytes,
      usedBytes: bytes,
      availableBytes,
      chunkCount: blobs,
      // It is answering.
      lastHeartbeat: clock.now(),
    };
  }

  async setMaintenance(nodeId: string, active: boolean): Promise<NodeInfo> {
    if (nodeId !== this.#parts.nodeId) {
      const subject = { kind: 'node', id: nodeId } as const;
      throw new CairnError('not_found', `there is no node ${JSON.stringify(nodeId)}`, { subject });
    }
    await this.#parts.maintenance.set(active);
    return this.#node();
  }

  refuseWrites(): void {
    this.#parts.maintenance.refuseWrites();
  }

  recover(chunks: readonly BlobHash[], priority: RecoveryPriority): Promise<RecoveryTask> {
    return this.#recovery.start(chunks, priority);
  }

  recoveryTask(taskId: string): RecoveryTask {
    return this.#recovery.find(taskId);
  }

  /** All there is to move is nothing, so it is moved already. */
  async rebalance(_strategy: RebalanceStrategy, _maxBytesPerSecond: number | undefined): Promise<RebalanceInfo> {
    const now = this.#parts.clock.now();
    this.#rebalance = { ...this.#rebalance, state: 'completed', startedAt: now, estimatedCompletion: now };
    return this.#rebalance;
  }

  rebalanceInfo(): RebalanceInfo {
    return this.#rebalance;
  }

  close(): Promise<void> {
    return this.#recovery.close();
  }
}
