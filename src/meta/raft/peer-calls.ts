// What a node asks of others before, and while, it becomes one of them.

import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { type Clock, sleep } from '../../base/clock.js';
import { CairnError, type ErrorCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { wasNeverSent } from '../../base/never-sent.js';
import {
  ChangeMembersRequest_Change_Kind as ChangeKind,
  type ChangeMembersResponse,
  type PeerService,
} from '../../gen/cairn/raft/v1/peer_service_pb.js';
import type { Founders, Greeting } from './founding.js';
import type { Group, Member } from './group.js';
import type { PeerLinks } from './peer-links.js';
import type { MemberRequest } from './peer-service.js';
import { groupOf, memberMessage, memberOf } from './raft-messages.js';

export type PeerClient = Client<typeof PeerService>;

export interface PeerWay {
  readonly links: PeerLinks;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly self: Member;
}

/** Asks all founders, again and again, until they agree. `failed_precondition` when they never will. */
export async function meetFounders(
  way: PeerWay,
  founders: Founders,
  all: readonly { readonly name: string; readonly address: string }[],
): Promise<Group> {
  for (;;) {
    const group = founders.agreed();
    if (group !== undefined) return group;
    const others = all.filter(({ name }) => name !== way.self.name);
    await Promise.all(
      others.map(async ({ address }) => {
        const greeting = await hello(way, address, founders).catch(() => undefined);
        if (greeting !== undefined) founders.met(greeting);
      }),
    );
    if (founders.agreed() === undefined) await pause(way);
  }
}

/** The group that one of these addresses belongs to. Waits until there is one. */
export async function findGroup(way: PeerWay, addresses: readonly string[]): Promise<Greeting> {
  for (;;) {
    for (const address of addresses) {
      const greeting = await hello(way, address, { names: [], members: [way.self] }).catch(() => undefined);
      if (greeting !== undefined && greeting.groupId !== '') return greeting;
    }
    await pause(way);
  }
}

async function pause({ clock, signal }: PeerWay): Promise<void> {
  await sleep(clock, limits.raftJoinMilliseconds);
  if (signal.aborted) throw new CairnError('canceled', 'this node is being stopped');
}

async function hello(
  { links, signal, self }: PeerWay,
  address: string,
  { names, members }: Pick<Founders, 'names' | 'members'>,
): Promise<Greeting> {
  const answer = await links
    .clientAt(address)
    .hello(
      { from: memberMessage(self), founders: [...names], members: members.map(memberMessage) },
      { signal, timeoutMs: limits.raftHelloMillisecondsMax },
    );
  if (answer.member === undefined) throw new CairnError('unavailable', `${address} does not say who it is`);
  const { groupId, founders, clusterVersion } = answer;
  const member = memberOf(answer.member);
  return { member, groupId, clusterVersion, founders, members: answer.members.map(memberOf) };
}

/** Asks any of these addresses for a change of members, until one has it made. */
export async function askForChange(
  { links, signal }: PeerWay,
  addresses: readonly string[],
  groupId: string,
  changes: readonly MemberRequest[],
): Promise<Group> {
  let failure: unknown;
  for (const address of addresses) {
    try {
      const options = { signal, timeoutMs: limits.raftCallMillisecondsMax };
      return groupAnswered(await links.clientAt(address).changeMembers(changeRequest(groupId, changes), options));
    } catch (error) {
      failure = error;
    }
  }
  throw peerError(failure);
}

const changeNumbers = { voter: ChangeKind.VOTER, learner: ChangeKind.LEARNER, remove: ChangeKind.REMOVE } as const;

export function changeRequest(groupId: string, changes: readonly MemberRequest[]) {
  return {
    groupId,
    changes: changes.map(({ kind, member, versionMax = 0 }) => ({
      kind: changeNumbers[kind],
      member: memberMessage(member),
      versionMax,
    })),
  };
}

export function groupAnswered({ group }: ChangeMembersResponse): Group {
  if (group === undefined) throw new CairnError('unavailable', 'the leader does not say who its members are');
  return groupOf(group);
}

/** The answer to a call; undefined when it was never sent. Where it fails otherwise, nobody knows what became of it. */
export async function callPeer<T>(call: () => Promise<T>): Promise<{ readonly answer: T } | undefined> {
  try {
    return { answer: await call() };
  } catch (error) {
    if (wasNeverSent(error)) return undefined;
    throw peerError(error);
  }
}

const codes: Partial<Record<Code, ErrorCode>> = {
  [Code.InvalidArgument]: 'invalid_argument',
  [Code.FailedPrecondition]: 'failed_precondition',
  [Code.NotFound]: 'not_found',
  [Code.DeadlineExceeded]: 'timeout',
};

function peerError(error: unknown): CairnError {
  if (error instanceof CairnError) return error;
  const { code, rawMessage } = ConnectError.from(error);
  return new CairnError(codes[code] ?? 'unavailable', `another node: ${rawMessage}`, { cause: error });
}
