// What a node does for the other nodes of its group. Nobody else gets further than `hello`: a stranger, a node of another
// group, one that has been removed, and a second process that claims the id of a living one are refused.

import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { CairnError, errorCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type {
  ChangeMembersRequest,
  ExchangeRequest,
  Hail,
  PeerService,
} from '../../gen/cairn/raft/v1/peer_service_pb.js';
import { ChangeMembersRequest_Change_Kind as ChangeKind } from '../../gen/cairn/raft/v1/peer_service_pb.js';
import type { Message } from '../../raft/message.js';
import type { NodeId } from '../../raft/node-id.js';
import type { KvOutcome } from '../apply-entries.js';
import { outcomeMessage } from './command-codec.js';
import type { Founders } from './founding.js';
import { firstVersion, type Group, type Member } from './group.js';
import { groupMessage, memberMessage, memberOf, messageOf, safeNumber } from './raft-messages.js';
import type { SnapshotShelf } from './snapshot-shelf.js';

export interface MemberRequest {
  readonly kind: 'voter' | 'learner' | 'remove';
  readonly member: Member;
  /** The newest version of entries that one who comes understands. */
  readonly versionMax?: number | undefined;
}

/** What the service needs of its node. */
export interface PeerHost {
  readonly self: Member;
  /** Undefined until there is a group. */
  readonly group: Group | undefined;
  readonly shelf: SnapshotShelf;
  readonly founders: Founders;
  receive(message: Message): void;
  /** Of a leader. `unavailable`: it was not proposed. `timeout`: it may have been done, or may be yet. */
  proposeHere(command: Uint8Array): Promise<KvOutcome>;
  changeMembers(changes: readonly MemberRequest[]): Promise<Group>;
  /** As a leader sees them; `unavailable` for any other. */
  progressHere(): readonly PeerProgress[];
}

export interface PeerProgress {
  readonly id: NodeId;
  readonly nextIndex: number;
  readonly matchIndex: number;
}

export function peerService(host: PeerHost): ServiceImpl<typeof PeerService> {
  /** The process that speaks for each node at present. */
  const speakers = new Map<NodeId, { readonly incarnation: string; streams: number }>();

  const checkGroup = (groupId: string) => {
    if (host.group === undefined) throw refused('unavailable', 'this node belongs to no group yet');
    if (groupId !== host.group.groupId) throw refused('permission_denied', 'this node belongs to another group');
    return host.group;
  };

  /** The node that asks, which must be one of the group. A node that is to join knows nobody yet. */
  const checkMember = ({ groupId, from }: { readonly groupId: string; readonly from: bigint }): NodeId => {
    const { members } = checkGroup(groupId);
    const id = safeNumber(from);
    if (members.length === 0 || members.some((member) => member.id === id)) return id;
    throw refused('permission_denied', `${from} is no member of this group`);
  };

  const greet = (hail: Hail | undefined): NodeId => {
    if (hail === undefined) throw refused('invalid_argument', 'a stream begins with a hail');
    const from = checkMember(hail);
    if (safeNumber(hail.to) !== host.self.id) throw refused('failed_precondition', 'that node does not live here');
    const speaker = speakers.get(from);
    if (speaker !== undefined && speaker.incarnation !== hail.incarnation) {
      throw refused('permission_denied', `another process speaks for ${from}: an id belongs to one`);
    }
    if (speaker === undefined) speakers.set(from, { incarnation: hail.incarnation, streams: 1 });
    else speaker.streams++;
    return from;
  };

  const leave = (from: NodeId) => {
    const speaker = speakers.get(from);
    if (speaker !== undefined && --speaker.streams === 0) speakers.delete(from);
  };

  return {
    async hello({ from, groupId, founders, members }) {
      const { group, self } = host;
      if (from !== undefined && group === undefined) {
        host.founders.met({ member: memberOf(from), groupId, founders, members: members.map(memberOf) });
      }
      return {
        member: memberMessage(self),
        groupId: group?.groupId ?? '',
        founders: [...host.founders.names],
        members: (group ?? host.founders).members.map(memberMessage),
        clusterVersion: group?.clusterVersion ?? 0,
      };
    },

    async exchange(requests: AsyncIterable<ExchangeRequest>) {
      let from: NodeId | undefined;
      let greeted: Hail | undefined;
      try {
        for await (const { hail, messages } of requests) {
          if (from === undefined || greeted === undefined) {
            from = greet(hail);
            greeted = hail!;
          }
          // It may have been let go meanwhile.
          checkMember(greeted);
          for (const wire of messages) {
            const message = messageOf(wire);
            // A kind that this release does not know is lost, as any message may be.
            if (message !== undefined && message.from === from && message.to === host.self.id) host.receive(message);
          }
        }
      } finally {
        if (from !== undefined) leave(from);
      }
      return {};
    },

    async *fetchSnapshot({ groupId, from, index, offset }) {
      checkMember({ groupId, from });
      const { snapshot, file } = await host.shelf.openSnapshot(safeNumber(index)).catch(throwConnect);
      try {
        let position = safeNumber(offset);
        do {
          const data = new Uint8Array(limits.raftSnapshotPartBytes);
          const got = await file.read(data, position);
          position += got;
          yield { hash: snapshot.hash, bytes: BigInt(snapshot.bytes), data: data.subarray(0, got) };
        } while (position < snapshot.bytes);
      } finally {
        await file.close();
      }
    },

    async propose({ groupId, from, command }) {
      checkMember({ groupId, from });
      // What went wrong is an answer, so that it can be told from a connection that broke.
      const failed = (error: unknown) =>
        error instanceof CairnError ? error : new CairnError('internal', 'the leader failed', { cause: error });
      return { result: outcomeMessage(await host.proposeHere(command).catch(failed)) };
    },

    async progress({ groupId, from }) {
      checkMember({ groupId, from });
      try {
        const members = host.progressHere().map(({ id, nextIndex, matchIndex }) => ({
          id: BigInt(id),
          nextIndex: BigInt(nextIndex),
          matchIndex: BigInt(matchIndex),
        }));
        return { members };
      } catch (error) {
        return throwConnect(error);
      }
    },

    async changeMembers(request) {
      checkGroup(request.groupId);
      return { group: groupMessage(await host.changeMembers(changesOf(request)).catch(throwConnect)) };
    },
  };
}

function changesOf({ changes }: ChangeMembersRequest): MemberRequest[] {
  return changes.map(({ kind, member, versionMax }) => {
    if (member === undefined) throw refused('invalid_argument', 'a change is about a member');
    const name = changeKinds.get(kind);
    if (name === undefined) throw refused('invalid_argument', `there is no change ${kind}`);
    // Who says nothing is of the first release.
    return { kind: name, member: memberOf(member), versionMax: Math.max(versionMax, firstVersion) };
  });
}

const changeKinds: ReadonlyMap<ChangeKind, MemberRequest['kind']> = new Map([
  [ChangeKind.VOTER, 'voter'],
  [ChangeKind.LEARNER, 'learner'],
  [ChangeKind.REMOVE, 'remove'],
]);

const connectCodes = {
  invalid_argument: Code.InvalidArgument,
  failed_precondition: Code.FailedPrecondition,
  permission_denied: Code.PermissionDenied,
  unavailable: Code.Unavailable,
  not_found: Code.NotFound,
} as const;

function refused(code: keyof typeof connectCodes, message: string): ConnectError {
  return new ConnectError(message, connectCodes[code]);
}

/** Codes that peers tell apart keep them; anything else leaves an outcome open. */
function throwConnect(error: unknown): never {
  const code = errorCode(error);
  const message = error instanceof CairnError ? error.message : 'internal error';
  throw new ConnectError(
    message,
    code in connectCodes ? connectCodes[code as keyof typeof connectCodes] : Code.Unknown,
  );
}
