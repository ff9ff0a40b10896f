// Who belongs to a Raft group, as operators see and change it.

import { CairnError } from '../../base/errors.js';
import type { Group, Member } from './group.js';
import type { RaftNode } from './raft-node.js';

export interface MemberInfo extends Member {
  /** Otherwise it is a learner, which has yet to catch up. */
  readonly isVoter: boolean;
}

export interface Members {
  list(): Promise<readonly MemberInfo[]>;
  /** Lets a member go, for good. `not_found` for a name that is none's. Answers who is left. */
  remove(name: string): Promise<readonly MemberInfo[]>;
  /** Hands leadership over. `failed_precondition` when this node does not lead, or that one has no vote. */
  transferLeadership(name: string): Promise<void>;
}

export function membersOf(node: RaftNode): Members {
  const find = (name: string) => {
    const member = node.group?.members.find((each) => each.name === name);
    if (member !== undefined) return member;
    const subject = { kind: 'node', id: name } as const;
    throw new CairnError('not_found', `no member of the group is called ${JSON.stringify(name)}`, { subject });
  };
  return {
    list: async () => listed(node.group),
    remove: async (name) => listed(await node.changeMembers([{ kind: 'remove', member: find(name) }])),
    async transferLeadership(name) {
      if (node.transferLeadership(find(name).id)) return;
      throw new CairnError('failed_precondition', 'only the leader hands over, and only to a voter');
    },
  };
}

function listed(group: Group | undefined): MemberInfo[] {
  return (group?.members ?? []).map((member) => ({
    ...member,
    isVoter: group!.configuration.voters.includes(member.id),
  }));
}
