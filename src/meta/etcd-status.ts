// Who leads an etcd cluster, and how far its members are. Each is asked itself: etcd's leader does not tell what it knows of
// the others. So a peer's matchIndex is that member's own raft index. One that does not answer has 0.

import type { CallOptions } from '@connectrpc/connect';
import { limits } from '../base/limits.js';
import type { Member, StatusResponse } from '../gen/etcd/etcdserverpb_pb.js';
import type { EtcdClient } from './etcd-client.js';
import type { KvStatus, NodeRole, PeerStatus } from './kv.js';

export async function etcdStatus(client: EtcdClient): Promise<KvStatus> {
  const [own, members] = await client.read(async (etcd, call) => {
    const [status, list] = await Promise.all([etcd.maintenance.status({}, call), etcd.cluster.memberList({}, call)]);
    return [status, list.members] as const;
  });
  const ownId = own.header!.memberId;
  const others = members.filter((member) => member.ID !== ownId).sort((a, b) => (a.ID < b.ID ? -1 : 1));
  return {
    engine: 'etcd',
    nodeId: idText(ownId),
    role: roleOf(own),
    term: Number(own.raftTerm),
    leaderId: own.leader === 0n ? undefined : idText(own.leader),
    commitIndex: Number(own.raftIndex),
    appliedIndex: Number(own.raftAppliedIndex),
    revision: Number(own.header!.revision),
    peers: own.leader === 0n ? [] : await Promise.all(others.map((member) => peerStatus(client, member))),
  };
}

async function peerStatus(client: EtcdClient, member: Member): Promise<PeerStatus> {
  const call: CallOptions = { timeoutMs: limits.etcdStatusMillisecondsMax, signal: client.closing };
  const [url] = member.clientURLs;
  const status =
    url === undefined
      ? undefined
      : await Promise.resolve()
          .then(() => client.connectionTo(url).maintenance.status({}, call))
          .catch(() => undefined);
  const matchIndex = Number(status?.raftIndex ?? 0n);
  return {
    nodeId: idText(member.ID),
    address: (member.peerURLs[0] ?? '').replace(/^https?:\/\//, ''),
    nextIndex: matchIndex + 1,
    matchIndex,
  };
}

function roleOf({ header, leader, isLearner }: StatusResponse): NodeRole {
  if (isLearner) return 'learner';
  if (leader === 0n) return 'candidate';
  return leader === header!.memberId ? 'leader' : 'follower';
}

/** As etcd's own tools show it. */
function idText(id: bigint): string {
  return id.toString(16);
}
