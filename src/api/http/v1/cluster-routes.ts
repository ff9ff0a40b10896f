// Routes about the machines: what there is, who is in maintenance, recovery and rebalancing.

import { type Static, Type } from '@sinclair/typebox';
import { formatTime } from '../../../base/clock.js';
import { type BlobHash, hashHex } from '../../../base/digest.js';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { parseChunkId } from '../../../chunk/chunk.js';
import {
  type Cluster,
  type ClusterInfo,
  type NodeInfo,
  nodeRoles,
  nodeStates,
  type RebalanceInfo,
  type RecoveryTask,
  rebalanceStrategies,
  recoveryPriorities,
} from '../../../cluster/cluster.js';
import type { FileService } from '../../../file/file-service.js';
import { resolvePage } from '../../../file/page.js';
import type { KvStore } from '../../../meta/kv.js';
import { type ApiRoute, apiRoute } from './api-route.js';
import { count, oneOf, pageData, pageQuery, time } from './schemas.js';

export interface ClusterRoutesParts {
  readonly cluster: Cluster;
  readonly kv: Pick<KvStore, 'status'>;
  readonly version: string;
  readonly files: Pick<FileService, 'counts'>;
}

const clusterStatus = Type.Object(
  {
    cluster_id: Type.String(),
    version: Type.String(),
    master_count: count,
    datanode_count: count,
    total_capacity: count,
    used_capacity: count,
    available_capacity: count,
    file_count: count,
    chunk_count: count,
    status: oneOf(['healthy', 'degraded']),
  },
  { $id: 'ClusterStatus' },
);

const node = Type.Object(
  {
    node_id: Type.String(),
    address: Type.String(),
    roles: Type.Array(oneOf(nodeRoles)),
    status: oneOf(nodeStates),
    capacity: count,
    used: count,
    available: count,
    chunk_count: count,
    last_heartbeat: time,
  },
  { $id: 'Node' },
);

const raftStatus = Type.Object(
  {
    node_id: Type.String(),
    state: oneOf(['Leader', 'Follower', 'Candidate', 'Learner']),
    term: count,
    leader_id: Type.String(),
    commit_index: count,
    last_applied: count,
    peers: Type.Array(
      Type.Object({ node_id: Type.String(), address: Type.String(), next_index: count, match_index: count }),
    ),
  },
  { $id: 'RaftStatus' },
);

const recoveryTask = Type.Object(
  {
    task_id: Type.String(),
    status: oneOf(['waiting', 'running', 'completed']),
    priority: oneOf(recoveryPriorities),
    total_chunks: count,
    verified_chunks: count,
    lost_chunks: Type.Array(Type.String()),
    started_at: time,
  },
  { $id: 'RecoveryTask' },
);

const rebalance = Type.Object(
  {
    status: oneOf(['idle', 'running', 'completed']),
    progress: Type.Number({ minimum: 0, maximum: 100 }),
    migrated_chunks: count,
    total_chunks: count,
    started_at: Type.Union([time, Type.Null()]),
    estimated_completion: Type.Union([time, Type.Null()]),
  },
  { $id: 'Rebalance' },
);

const raftStates = { leader: 'Leader', follower: 'Follower', candidate: 'Candidate', learner: 'Learner' } as const;

export function clusterRoutes(parts: ClusterRoutesParts): ApiRoute[] {
  return [...statusRoutes(parts), ...nodeRoutes(parts.cluster), ...workRoutes(parts.cluster)];
}

function statusRoutes({ cluster, kv, version, files }: ClusterRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/cluster/status',
      need: 'read',
      summary: 'The whole cluster in numbers',
      data: clusterStatus,
      async handle() {
        const [info, counts] = await Promise.all([cluster.info(), files.counts()]);
        return clusterData(info, counts.files, version);
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/raft/status',
      need: 'read',
      summary: 'Consensus as this node sees it; alone it leads itself',
      data: raftStatus,
      async handle() {
        const status = await kv.status();
        return {
          node_id: status.nodeId,
          state: raftStates[status.role],
          term: status.term,
          leader_id: status.leaderId ?? '',
          commit_index: status.commitIndex,
          last_applied: status.appliedIndex,
          peers: status.peers.map((peer) => ({
            node_id: peer.nodeId,
            address: peer.address,
            next_index: peer.nextIndex,
            match_index: peer.matchIndex,
          })),
        };
      },
    }),
  ];
}

function nodeRoutes(cluster: Cluster): ApiRoute[] {
  const maintenance = (method: 'POST' | 'DELETE', summary: string) =>
    apiRoute({
      method,
      path: '/api/v1/nodes/{node_id}/maintenance',
      need: 'admin',
      summary,
      data: node,
      handle: async ({ path }) => nodeData(await cluster.setMaintenance(path('node_id'), method === 'POST')),
    });

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/nodes',
      need: 'read',
      summary: 'The nodes, by name',
      query: Type.Object({
        ...pageQuery,
        type: Type.Optional(oneOf(nodeRoles)),
        status: Type.Optional(oneOf(nodeStates)),
      }),
      data: Type.Object({ ...pageData, nodes: Type.Array(node) }),
      async handle({ query }) {
        const { page, pageSize, skip } = resolvePage({ page: query.page, pageSize: query.page_size });
        const { nodes } = await cluster.info();
        const found = nodes
          .filter(({ roles }) => query.type === undefined || roles.includes(query.type))
          .filter(({ state }) => query.status === undefined || state === query.status);
        const nodesOfPage = found.slice(skip, skip + pageSize).map(nodeData);
        return { total: found.length, page, page_size: pageSize, nodes: nodesOfPage };
      },
    }),
    maintenance('POST', 'Have a node take nothing new'),
    maintenance('DELETE', 'Have a node take new blobs again'),
  ];
}

/** Recovery and rebalancing. */
function workRoutes(cluster: Cluster): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/recovery/start',
      need: 'admin',
      summary: 'Check the copies of chunks, and mend what can be mended',
      body: Type.Object({
        chunk_ids: Type.Array(Type.String(), { minItems: 1, maxItems: limits.recoveryChunksCountMax }),
        priority: Type.Optional(oneOf(recoveryPriorities)),
      }),
      data: recoveryTask,
      async handle({ body }) {
        return recoveryData(await cluster.recover(body.chunk_ids.map(chunkNamed), body.priority ?? 'normal'));
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/recovery/{task_id}',
      need: 'read',
      summary: 'How far a recovery task is',
      data: recoveryTask,
      handle: ({ path }) => recoveryData(cluster.recoveryTask(path('task_id'))),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/rebalance/start',
      need: 'admin',
      summary: 'Move chunks until all nodes are equally full',
      body: Type.Object({
        strategy: oneOf(rebalanceStrategies),
        max_migration_rate: Type.Optional(Type.Integer({ minimum: 1, description: 'bytes a second' })),
      }),
      data: rebalance,
      async handle({ body }) {
        return rebalanceData(await cluster.rebalance(body.strategy, body.max_migration_rate));
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/rebalance/status',
      need: 'read',
      summary: 'How far rebalancing is',
      data: rebalance,
      handle: () => rebalanceData(cluster.rebalanceInfo()),
    }),
  ];
}

function clusterData(info: ClusterInfo, files: number, version: string): Static<typeof clusterStatus> {
  const { clusterId, isHealthy, nodes } = info;
  const sum = (of: (node: NodeInfo) => number) => nodes.reduce((total, each) => total + of(each), 0);
  return {
    cluster_id: clusterId,
    version: `v${version}`,
    master_count: nodes.filter(({ roles }) => roles.includes('master')).length,
    datanode_count: nodes.filter(({ roles }) => roles.includes('datanode')).length,
    total_capacity: sum(({ capacityBytes }) => capacityBytes),
    used_capacity: sum(({ usedBytes }) => usedBytes),
    available_capacity: sum(({ availableBytes }) => availableBytes),
    file_count: files,
    chunk_count: sum(({ chunkCount }) => chunkCount),
    status: isHealthy ? 'healthy' : 'degraded',
  };
}

function nodeData(info: NodeInfo): Static<typeof node> {
  return {
    node_id: info.nodeId,
    address: info.address,
    roles: [...info.roles],
    status: info.state,
    capacity: info.capacityBytes,
    used: info.usedBytes,
    available: info.availableBytes,
    chunk_count: info.chunkCount,
    last_heartbeat: formatTime(info.lastHeartbeat),
  };
}

function recoveryData(task: RecoveryTask): Static<typeof recoveryTask> {
  return {
    task_id: task.taskId,
    status: task.state,
    priority: task.priority,
    total_chunks: task.totalChunks,
    verified_chunks: task.verifiedChunks,
    lost_chunks: task.lostChunks.map((hash) => `c_${hashHex(hash)}`),
    started_at: formatTime(task.startedAt),
  };
}

function rebalanceData(info: RebalanceInfo): Static<typeof rebalance> {
  const { state, migratedChunks, totalChunks, startedAt, estimatedCompletion } = info;
  const share = totalChunks === 0 ? 1 : migratedChunks / totalChunks;
  return {
    status: state,
    progress: state === 'idle' ? 0 : 100 * share,
    migrated_chunks: migratedChunks,
    total_chunks: totalChunks,
    started_at: startedAt === undefined ? null : formatTime(startedAt),
    estimated_completion: estimatedCompletion === undefined ? null : formatTime(estimatedCompletion),
  };
}

/** What is no name of a chunk is the name of none. */
function chunkNamed(id: string): BlobHash {
  try {
    return parseChunkId(id);
  } catch (cause) {
    const subject = { kind: 'chunk', id } as const;
    throw new CairnError('not_found', `there is no chunk ${JSON.stringify(id)}`, { cause, subject });
  }
}
