// What a face may ask about the machines behind it, and what an operator may tell them. One machine alone answers it
// (`single-node.ts`); a cluster answers the same questions about many.

import type { BlobHash } from '../base/digest.js';

export const nodeRoles = ['master', 'datanode'] as const;
export type NodeRole = (typeof nodeRoles)[number];

export const nodeStates = ['online', 'suspect', 'offline', 'maintenance', 'draining'] as const;
export type NodeState = (typeof nodeStates)[number];

export interface NodeInfo {
  readonly nodeId: string;
  /** `HOST:PORT` that it is reached at. */
  readonly address: string;
  readonly roles: readonly NodeRole[];
  readonly state: NodeState;
  /** Bytes it can hold: those it holds and those that are free. */
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
  readonly chunkCount: number;
  /** Milliseconds of Unix time. */
  readonly lastHeartbeat: number;
}

export interface ClusterInfo {
  readonly clusterId: string;
  /** All nodes take what they are asked for; otherwise some do not. */
  readonly isHealthy: boolean;
  readonly nodes: readonly NodeInfo[];
}

export const recoveryPriorities = ['low', 'normal', 'high'] as const;
export type RecoveryPriority = (typeof recoveryPriorities)[number];

export interface RecoveryTask {
  readonly taskId: string;
  readonly priority: RecoveryPriority;
  readonly state: 'waiting' | 'running' | 'completed';
  readonly totalChunks: number;
  /** Those that were found in order. */
  readonly verifiedChunks: number;
  /** Those that were damaged or gone, and that no other copy could mend. */
  readonly lostChunks: readonly BlobHash[];
  readonly startedAt: number;
}

export const rebalanceStrategies = ['balance_by_capacity'] as const;
export type RebalanceStrategy = (typeof rebalanceStrategies)[number];

export interface RebalanceInfo {
  readonly state: 'idle' | 'running' | 'completed';
  readonly migratedChunks: number;
  readonly totalChunks: number;
  /** Milliseconds of Unix time; undefined before the first. */
  readonly startedAt: number | undefined;
  readonly estimatedCompletion: number | undefined;
}

export interface Cluster {
  info(): Promise<ClusterInfo>;
  /** A node in maintenance takes no new blobs, until it leaves it; this outlives restarts. `not_found` for others' names. */
  setMaintenance(nodeId: string, maintenance: boolean): Promise<NodeInfo>;
  /** `no_node` when nobody takes anything new. */
  refuseWrites(): void;
  /** Has the copies of these chunks checked, and mended where that is possible. `not_found` when one is nowhere. */
  recover(chunks: readonly BlobHash[], priority: RecoveryPriority): Promise<RecoveryTask>;
  /** `not_found` for one that is not known, or no longer. */
  recoveryTask(taskId: string): RecoveryTask;
  /** `maxBytesPerSecond` bounds what is moved. */
  rebalance(strategy: RebalanceStrategy, maxBytesPerSecond: number | undefined): Promise<RebalanceInfo>;
  rebalanceInfo(): RebalanceInfo;
  /** Ends what runs in the background. */
  close(): Promise<void>;
}
