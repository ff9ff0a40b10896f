// What stands on the metadata: the cluster of this one machine, files, and the file API over both.

import { statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import type { Route } from '../api/http/router.js';
import { apiV1Routes } from '../api/http/v1/api-v1.js';
import type { BlobStore } from '../base/blob-store.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import type { Random } from '../base/random.js';
import type { StagingArea } from '../base/staging.js';
import { MemoryStaging } from '../cas/memory-staging.js';
import { StagingFiles } from '../cas/staging-files.js';
import { type Cluster, nodeRoles } from '../cluster/cluster.js';
import { ensureClusterId } from '../cluster/cluster-id.js';
import { Maintenance } from '../cluster/maintenance.js';
import { MaintenanceStore } from '../cluster/maintenance-store.js';
import { SingleNode } from '../cluster/single-node.js';
import { FileService } from '../file/file-service.js';
import { UploadSessions } from '../file/upload-sessions.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import type { KvStore } from '../meta/kv.js';
import type { ServerConfig } from './config.js';
import type { createLogger } from './logger.js';
import { version } from './version.js';

export interface FilesParts {
  readonly config: Pick<ServerConfig, 'data' | 'store' | 'chunking' | 'nodeId' | 'role'>;
  readonly logger: ReturnType<typeof createLogger>;
  readonly store: BlobStore;
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly budget: ByteBudget;
  /** `HOST:PORT` of the first listener, once there is one. */
  address(): string;
  takesWrites(): boolean;
}

export interface FilesComposition {
  /** Takes nothing new while the node is in maintenance. */
  readonly store: BlobStore;
  readonly cluster: Cluster;
  readonly maintenance: Maintenance;
  readonly files: FileService;
  /** To be closed before what they stand on. */
  readonly uploads: UploadSessions;
  readonly apiRoutes: readonly Route[];
}

export async function composeFiles(parts: FilesParts): Promise<FilesComposition> {
  const { config, kv, clock, random, budget, address, takesWrites } = parts;
  const { nodeId } = config;
  const maintenance = await Maintenance.open(kv, nodeId);
  const store = new MaintenanceStore(parts.store, maintenance);
  const cluster = new SingleNode({
    clusterId: await ensureClusterId(kv, random),
    nodeId,
    roles: config.role === 'master' ? ['master'] : nodeRoles,
    store,
    maintenance,
    clock,
    random,
    address,
    takesWrites,
    freeBytes: async () => (config.store === undefined ? freeBytesOf(config.data) : freemem()),
  });
  const fileParts = { store, kv, clock, random, budget, chunking: config.chunking };
  const files = new FileService(fileParts);
  const uploads = new UploadSessions({
    ...fileParts,
    staging: await openStaging(config),
    report: (err) => parts.logger.warn({ err }, 'upload sessions that have expired were not swept'),
  });
  uploads.startSweeping();
  return {
    store,
    cluster,
    maintenance,
    files,
    uploads,
    apiRoutes: apiV1Routes({ cluster, kv, files, uploads, random, version }),
  };
}

/** Beside a store that was handed in, the open ends of uploads are kept in memory. */
async function openStaging({ data, store }: FilesParts['config']): Promise<StagingArea> {
  if (store !== undefined) return new MemoryStaging();
  return StagingFiles.open(nodeFileSystem, join(data, 'staging'));
}

/** What the system lets us write to the disk of a directory. */
async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
