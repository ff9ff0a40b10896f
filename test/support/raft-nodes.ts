// Real Raft nodes in this process: real disks, real connections over loopback.

import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { RaftKv } from '../../src/meta/raft/raft-kv.js';
import { RaftNode, type RaftNodeOptions } from '../../src/meta/raft/raft-node.js';
import { freePorts } from './free-ports.js';

export interface StartedNode {
  readonly name: string;
  readonly options: NodeOptions;
  readonly node: RaftNode;
  readonly kv: RaftKv;
}

const silent = { warn: () => {}, info: () => {} };

type NodeOptions = Partial<RaftNodeOptions> & Pick<RaftNodeOptions, 'name' | 'listen'>;

export async function startNode(directory: string, options: NodeOptions): Promise<StartedNode> {
  const node = await RaftNode.open({
    options: { founders: [], join: [], tls: undefined, ...options },
    directory: join(directory, options.name),
    fs: nodeFileSystem,
    clock: systemClock,
    random: systemRandom,
    logger: silent,
    onFailed: () => {},
  });
  return { name: options.name, options, node, kv: new RaftKv(node) };
}

/** The same node again, with what it left behind. */
export function restartNode(directory: string, { options }: StartedNode): Promise<StartedNode> {
  return startNode(directory, options);
}

/** Founds a group of so many nodes, `node-1` and so on. */
export async function foundGroup(
  directory: string,
  count: number,
  more: Partial<RaftNodeOptions> = {},
): Promise<StartedNode[]> {
  const ports = await freePorts(count);
  const founders = ports.map((port, i) => ({ name: `node-${i + 1}`, address: `127.0.0.1:${port}` }));
  return Promise.all(
    founders.map(({ name }, i) =>
      startNode(directory, { name, listen: { host: '127.0.0.1', port: ports[i]! }, founders, ...more }),
    ),
  );
}
