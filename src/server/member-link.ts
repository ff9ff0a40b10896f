// Who belongs to the Raft group, as it is asked and changed from another thread.

import { CairnError } from '../base/errors.js';
import type { Group } from '../meta/raft/group.js';
import type { RaftNode } from '../meta/raft/raft-node.js';
import type { Handlers, ThreadLink } from './thread-link.js';

export interface MemberInfo {
  readonly name: string;
  /** Made by the node itself, and never given again. */
  readonly id: number;
  /** `HOST:PORT` for other nodes. */
  readonly address: string;
  readonly isVoter: boolean;
}

export interface Members {
  list(): Promise<readonly MemberInfo[]>;
  /** Lets a member go, for good. `not_found` for a name that is none's. Answers who is left. */
  remove(name: string): Promise<readonly MemberInfo[]>;
  /** Hands leadership over. `failed_precondition` when this node does not lead or that one has no vote. */
  transferLeadership(name: string): Promise<void>;
}

export function memberHandlers(node: RaftNode): Handlers {
  const find = (name: string) => {
    const member = node.group?.members.find((each) => each.name === name);
    if (member === undefined) {
      throw new CairnError('not_found', `no member of the group is called ${name}`, {
        subject: { kind: 'node', id: name },
      });
    }
    return member;
  };
  return {
    members: () => membersOf(node.group),
    async removeMember(name: string) {
      return membersOf(await node.changeMembers([{ kind: 'remove', member: find(name) }]));
    },
    async transferLeadership(name: string) {
      if (!node.transferLeadership(find(name).id)) {
        throw new CairnError('failed_precondition', `only the leader hands over, and only to a voter`);
      }
    },
  };
}

function membersOf(group: Group | undefined): MemberInfo[] {
  return (group?.members ?? []).map(({ id, name, address }) => ({
    id,
    name,
    address,
    isVoter: group!.configuration.voters.includes(id),
  }));
}

export function linkedMembers(link: ThreadLink): Members {
  return {
    list: () => link.ask('members', undefined),
    remove: (name) => link.ask('removeMember', name),
    transferLeadership: (name) => link.ask('transferLeadership', name),
  };
}
