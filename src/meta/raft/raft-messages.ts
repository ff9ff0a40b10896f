// The words of the core in Protocol Buffers and back: what goes over the wire and into the log. Numbers of the core are whole
// and safe; a larger one in a message is `invalid_argument`, as is a message that says nothing.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CairnError } from '../../base/errors.js';
import {
  EntryKind as EntryKindNumber,
  EntrySchema,
  GroupSchema,
  MessageSchema,
  type Entry as WireEntry,
  type Group as WireGroup,
  type HardState as WireHardState,
  type Message as WireMessage,
} from '../../gen/cairn/raft/v1/raft_pb.js';
import type { Entry, EntryKind, HardState } from '../../raft/entry.js';
import type { Message } from '../../raft/message.js';
import type { Group, Member } from './group.js';

const kindNumbers: Readonly<Record<EntryKind, EntryKindNumber>> = {
  noop: EntryKindNumber.NOOP,
  command: EntryKindNumber.COMMAND,
  config: EntryKindNumber.CONFIG,
  version: EntryKindNumber.VERSION,
};
const kindNames = new Map(Object.entries(kindNumbers).map(([name, number]) => [number, name as EntryKind]));

export function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new CairnError('invalid_argument', `${value} is no index, term or id`);
  return number;
}

export function entryMessage({ index, term, kind, version, data }: Entry): WireEntry {
  return create(EntrySchema, { index: BigInt(index), term: BigInt(term), kind: kindNumbers[kind], version, data });
}

export function entryOf({ index, term, kind, version, data }: WireEntry): Entry {
  const name = kindNames.get(kind);
  if (name === undefined) throw new CairnError('invalid_argument', `there is no kind ${kind} of entries`);
  return { index: safeNumber(index), term: safeNumber(term), kind: name, version, data };
}

export function hardStateMessage({ term, vote, commit }: HardState) {
  return { term: BigInt(term), vote: BigInt(vote), commit: BigInt(commit) };
}

export function hardStateOf({ term, vote, commit }: WireHardState): HardState {
  return { term: safeNumber(term), vote: safeNumber(vote), commit: safeNumber(commit) };
}

export function memberMessage({ id, name, address }: Member) {
  return { id: BigInt(id), name, address };
}

export function memberOf({ id, name, address }: { id: bigint; name: string; address: string }): Member {
  return { id: safeNumber(id), name, address };
}

export function groupMessage(group: Group): WireGroup {
  const { voters, outgoing, learners, learnersNext } = group.configuration;
  return create(GroupSchema, {
    index: BigInt(group.index),
    term: BigInt(group.term),
    configuration: {
      voters: voters.map(BigInt),
      outgoing: outgoing.map(BigInt),
      learners: learners.map(BigInt),
      learnersNext: learnersNext.map(BigInt),
    },
    clusterVersion: group.clusterVersion,
    members: group.members.map(memberMessage),
    groupId: group.groupId,
  });
}

export function groupOf(message: WireGroup): Group {
  const { voters = [], outgoing = [], learners = [], learnersNext = [] } = message.configuration ?? {};
  return {
    index: safeNumber(message.index),
    term: safeNumber(message.term),
    configuration: {
      voters: voters.map(safeNumber),
      outgoing: outgoing.map(safeNumber),
      learners: learners.map(safeNumber),
      learnersNext: learnersNext.map(safeNumber),
    },
    clusterVersion: message.clusterVersion,
    members: message.members.map(memberOf),
    groupId: message.groupId,
  };
}

export function encodeGroup(group: Group): Uint8Array {
  return toBinary(GroupSchema, groupMessage(group));
}

/** `corrupt` when the bytes are no group. */
export function decodeGroup(bytes: Uint8Array): Group {
  try {
    return groupOf(fromBinary(GroupSchema, bytes));
  } catch (cause) {
    throw new CairnError('corrupt', 'the stored state of the group cannot be read', { cause });
  }
}

export function raftMessage(message: Message): WireMessage {
  const { from, to, term } = message;
  return create(MessageSchema, { from: BigInt(from), to: BigInt(to), term: BigInt(term), body: bodyOf(message) });
}

type Body = Parameters<typeof create<typeof MessageSchema>>[1] extends infer Init
  ? Init extends { body?: infer B }
    ? NonNullable<B>
    : never
  : never;

function knownCommit({ commit, commitTerm }: { commit: number; commitTerm: number }) {
  return { commit: BigInt(commit), commitTerm: BigInt(commitTerm) };
}

function commitOf({ commit, commitTerm }: { commit: bigint; commitTerm: bigint }) {
  return { commit: safeNumber(commit), commitTerm: safeNumber(commitTerm) };
}

function bodyOf(message: Message): Body {
  switch (message.type) {
    case 'vote': {
      const { pre, transfer, lastIndex, lastTerm } = message;
      const value = {
        pre,
        transfer,
        lastIndex: BigInt(lastIndex),
        lastTerm: BigInt(lastTerm),
        ...knownCommit(message),
      };
      return { case: 'vote', value };
    }
    case 'vote-response':
      return { case: 'voteResponse', value: { pre: message.pre, granted: message.granted, ...knownCommit(message) } };
    case 'append': {
      const { prevIndex, prevTerm, entries, commit } = message;
      return {
        case: 'append',
        value: {
          prevIndex: BigInt(prevIndex),
          prevTerm: BigInt(prevTerm),
          entries: entries.map(entryMessage),
          commit: BigInt(commit),
        },
      };
    }
    case 'append-response': {
      const { rejected, index, hintIndex, hintTerm } = message;
      return {
        case: 'appendResponse',
        value: { rejected, index: BigInt(index), hintIndex: BigInt(hintIndex), hintTerm: BigInt(hintTerm) },
      };
    }
    case 'heartbeat':
      return { case: 'heartbeat', value: { commit: BigInt(message.commit), round: BigInt(message.round) } };
    case 'heartbeat-response':
      return {
        case: 'heartbeatResponse',
        value: { round: BigInt(message.round), versionMax: message.versionMax },
      };
    case 'snapshot':
      // Members travel with the snapshot itself.
      return { case: 'snapshot', value: { group: groupMessage({ ...message.snapshot, members: [], groupId: '' }) } };
    case 'timeout-now':
      return { case: 'timeoutNow', value: {} };
    case 'read-index':
      return { case: 'readIndex', value: { context: BigInt(message.context) } };
    case 'read-index-response':
      return {
        case: 'readIndexResponse',
        value: { context: BigInt(message.context), index: BigInt(message.index) },
      };
  }
}

/** `invalid_argument` for what no node of any release says. Undefined for a kind that a newer release may know. */
export function messageOf(wire: WireMessage): Message | undefined {
  const envelope = { from: safeNumber(wire.from), to: safeNumber(wire.to), term: safeNumber(wire.term) };
  const { body } = wire;
  switch (body.case) {
    case 'vote': {
      const { pre, transfer, lastIndex, lastTerm } = body.value;
      return {
        ...envelope,
        type: 'vote',
        pre,
        transfer,
        lastIndex: safeNumber(lastIndex),
        lastTerm: safeNumber(lastTerm),
        ...commitOf(body.value),
      };
    }
    case 'voteResponse': {
      const { pre, granted } = body.value;
      return { ...envelope, type: 'vote-response', pre, granted, ...commitOf(body.value) };
    }
    case 'append': {
      const { prevIndex, prevTerm, entries, commit } = body.value;
      return {
        ...envelope,
        type: 'append',
        prevIndex: safeNumber(prevIndex),
        prevTerm: safeNumber(prevTerm),
        entries: entries.map(entryOf),
        commit: safeNumber(commit),
      };
    }
    case 'appendResponse': {
      const { rejected, index, hintIndex, hintTerm } = body.value;
      return {
        ...envelope,
        type: 'append-response',
        rejected,
        index: safeNumber(index),
        hintIndex: safeNumber(hintIndex),
        hintTerm: safeNumber(hintTerm),
      };
    }
    case 'heartbeat':
      return {
        ...envelope,
        type: 'heartbeat',
        commit: safeNumber(body.value.commit),
        round: safeNumber(body.value.round),
      };
    case 'heartbeatResponse':
      return {
        ...envelope,
        type: 'heartbeat-response',
        round: safeNumber(body.value.round),
        versionMax: body.value.versionMax,
      };
    case 'snapshot': {
      if (body.value.group === undefined) throw new CairnError('invalid_argument', 'a snapshot says what it is of');
      const { index, term, configuration, clusterVersion } = groupOf(body.value.group);
      return { ...envelope, type: 'snapshot', snapshot: { index, term, configuration, clusterVersion } };
    }
    case 'timeoutNow':
      return { ...envelope, type: 'timeout-now' };
    case 'readIndex':
      return { ...envelope, type: 'read-index', context: safeNumber(body.value.context) };
    case 'readIndexResponse':
      return {
        ...envelope,
        type: 'read-index-response',
        context: safeNumber(body.value.context),
        index: safeNumber(body.value.index),
      };
    case undefined:
      return undefined;
  }
}
