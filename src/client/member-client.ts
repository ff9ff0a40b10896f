// The members of the Raft group behind a server, over MemberService: for admins.

import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { type Member, MemberService } from '../gen/cairn/v1/member_service_pb.js';
import { toCairnError } from './error-codes.js';

export type { Member } from '../gen/cairn/v1/member_service_pb.js';

export class MemberClient {
  readonly #service: Client<typeof MemberService>;

  /** The connection is the caller's to close. */
  constructor(transport: Transport) {
    this.#service = createClient(MemberService, transport);
  }

  /** `unimplemented` where no Raft group keeps the metadata. */
  async list(signal?: AbortSignal): Promise<readonly Member[]> {
    return (await called(this.#service.listMembers({}, { ...(signal && { signal }) }))).members;
  }

  /** Lets a member go, for good; answers who is left. `not_found` without one of that name. */
  async remove(nodeId: string): Promise<readonly Member[]> {
    return (await called(this.#service.removeMember({ nodeId }))).members;
  }

  /** `failed_precondition` when the server does not lead, or that member has no vote. */
  async transferLeadership(nodeId: string): Promise<void> {
    await called(this.#service.transferLeadership({ nodeId }));
  }
}

async function called<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toCairnError(error);
  }
}
