// The group as a host knows it: what the core keeps, and beside it who its members are and where they are reached. Both are
// part of the applied state, and change with the entry that changes them.

import { CairnError } from '../../base/errors.js';
import { decodeConfigChange } from '../../raft/config-change.js';
import { membersOf } from '../../raft/configuration.js';
import type { Entry, GroupState } from '../../raft/entry.js';
import type { NodeId } from '../../raft/node-id.js';
import { groupAfter as coreGroupAfter } from '../../raft/raft-state.js';

export interface Member {
  readonly id: NodeId;
  /** As the operator calls the node. */
  readonly name: string;
  /** `HOST:PORT` for other nodes. */
  readonly address: string;
}

/** Entries of this version every release understands. */
export const firstVersion = 1;

/** The newest version of entries that this release understands. */
export const newestVersion = 1;

export interface Group extends GroupState {
  /** All who take part, sorted by id. */
  readonly members: readonly Member[];
  /** Of the founding: nodes of other groups are told apart by it. */
  readonly groupId: string;
}

/** `failed_precondition` when the group writes what a node does not understand. */
export function refuseNewer({ clusterVersion }: Pick<Group, 'clusterVersion'>, name: string, versionMax: number): void {
  if (clusterVersion <= versionMax) return;
  throw new CairnError(
    'failed_precondition',
    `the group writes entries of version ${clusterVersion}, ${name} understands them up to ${versionMax}: it needs a newer release`,
  );
}

/** The context of a change of members: who they are that come. */
export function encodeMembers(members: readonly Member[]): string {
  return JSON.stringify(members.map(({ id, name, address }) => [id, name, address]));
}

function decodeMembers(context: string): Member[] {
  if (context === '') return [];
  const rows = JSON.parse(context) as [NodeId, string, string][];
  return rows.map(([id, name, address]) => ({ id, name, address }));
}

/** The group after an entry. Every node comes to the same. */
export function groupAfter(group: Group, entry: Entry): Group {
  const { members, groupId } = group;
  const after = { ...coreGroupAfter(group, entry), members, groupId };
  if (entry.kind !== 'config') return after;
  const known = new Map(members.map((member) => [member.id, member]));
  for (const member of decodeMembers(decodeConfigChange(entry.data).context)) known.set(member.id, member);
  return { ...after, members: membersOf(after.configuration).flatMap((id) => known.get(id) ?? []) };
}
