// cairn.v1.MemberService: who keeps the metadata together. The gate lets admins in alone.

import type { ServiceImpl } from '@connectrpc/connect';
import type { MemberService } from '../../gen/cairn/v1/member_service_pb.js';
import type { MemberInfo, Members } from '../../meta/raft/members.js';

export function memberService(members: Members): ServiceImpl<typeof MemberService> {
  return {
    listMembers: async () => ({ members: (await members.list()).map(message) }),
    removeMember: async ({ nodeId }) => ({ members: (await members.remove(nodeId)).map(message) }),
    async transferLeadership({ nodeId }) {
      await members.transferLeadership(nodeId);
      return {};
    },
  };
}

function message({ name, id, address, isVoter }: MemberInfo) {
  return { nodeId: name, raftId: BigInt(id), address, isVoter };
}
