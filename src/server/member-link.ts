// The members of the Raft group, as they are asked about and changed from another thread.

import type { Members } from '../meta/raft/members.js';
import type { Handlers, ThreadLink } from './thread-link.js';

export function memberHandlers(members: Members): Handlers {
  return {
    listMembers: () => members.list(),
    removeMember: (name: string) => members.remove(name),
    transferLeadership: (name: string) => members.transferLeadership(name),
  };
}

export function linkedMembers(link: ThreadLink): Members {
  return {
    list: () => link.ask('listMembers', undefined),
    remove: (name) => link.ask('removeMember', name),
    transferLeadership: (name) => link.ask('transferLeadership', name),
  };
}
