// A group of Raft cores in one place, for scripted tests: nothing happens unless the script says so. Messages lie in one
// queue until `deliver`, writes lie with their node until its disk is let go on, and every message delivered leaves a line in
// the transcript. What a node has durably is kept apart from the node, so that it can be started again.

import { type ConfigChange, decodeConfigChange } from '../../src/raft/config-change.js';
import type { Entry, GroupState } from '../../src/raft/entry.js';
import type { Message } from '../../src/raft/message.js';
import type { NodeId } from '../../src/raft/node-id.js';
import { RaftCore, type WriteBatch } from '../../src/raft/raft-core.js';
import { type RaftLimits, raftLimits } from '../../src/raft/raft-options.js';
import type { ReadOutcome } from '../../src/raft/raft-state.js';
import { emptyLog, foundingGroup, joiningGroup, recoverRaft, type StoredLog } from '../../src/raft/recovery.js';

export interface GroupOptions {
  readonly voters: readonly NodeId[];
  readonly limits?: Partial<RaftLimits>;
}

export class GroupNode {
  core: RaftCore;
  /** What the disk holds. */
  log: StoredLog;
  group: GroupState;
  readonly unwritten: WriteBatch[] = [];
  /** Writes stay unwritten. */
  isDiskHeld = false;
  /** Entries stay unapplied. */
  isApplyHeld = false;
  unapplied: { readonly entries: readonly Entry[]; readonly after: GroupState } | undefined;
  /** Texts of the commands applied, in order; a snapshot carries them along. */
  commands: string[] = [];
  readonly reads: ReadOutcome[] = [];
  snapshotsWanted = 0;

  constructor(
    readonly id: NodeId,
    group: GroupState,
    readonly limits: RaftLimits,
  ) {
    this.group = group;
    this.log = emptyLog(group);
    this.core = this.#start();
  }

  #start(): RaftCore {
    const { start, replacedBy } = recoverRaft(this.log, this.group);
    if (replacedBy !== undefined) this.log = emptyLog(replacedBy);
    const { id, limits } = this;
    return new RaftCore(
      { id, electionTicks: 10, heartbeatTicks: 1, versionMax: 1, random: () => id % 10, limits },
      start,
    );
  }

  /** The process stops and starts again; what was not written is gone. */
  restart(): void {
    this.unwritten.length = 0;
    this.unapplied = undefined;
    this.core = this.#start();
  }

  write(batch: WriteBatch): void {
    const { hardState, entries, snapshot } = batch;
    if (snapshot !== undefined) this.log = { ...emptyLog(snapshot), hardState };
    const kept = this.log.entries.filter((entry) => entry.index < (entries[0]?.index ?? Number.POSITIVE_INFINITY));
    this.log = { ...this.log, hardState, entries: [...kept, ...entries] };
    this.core.written(batch.sequence);
  }

  apply({ entries, after }: { readonly entries: readonly Entry[]; readonly after: GroupState }): void {
    for (const { kind, data } of entries) if (kind === 'command') this.commands.push(new TextDecoder().decode(data));
    this.group = after;
    this.core.applied(after.index);
  }
}

export class RaftGroup {
  readonly nodes = new Map<NodeId, GroupNode>();
  messages: Message[] = [];
  transcript: string[] = [];
  readonly #limits: RaftLimits;
  /** Snapshots made, by index: the commands in them. */
  readonly #snapshots = new Map<number, readonly string[]>();

  constructor({ voters, limits = {} }: GroupOptions) {
    this.#limits = { ...raftLimits, ...limits };
    for (const id of voters) this.#add(id, foundingGroup(voters, 0));
  }

  #add(id: NodeId, group: GroupState): void {
    this.nodes.set(id, new GroupNode(id, group, this.#limits));
  }

  /** A node that knows nothing yet. */
  join(id: NodeId): void {
    this.#add(id, joiningGroup);
  }

  node(id: NodeId): GroupNode {
    return this.nodes.get(id)!;
  }

  core(id: NodeId): RaftCore {
    return this.node(id).core;
  }

  /** Takes what every node has ready: messages into the queue, writes and batches to be done if nothing is held. */
  collect(): boolean {
    let isBusy = false;
    for (const node of this.nodes.values()) {
      for (let didWork = true; didWork; ) {
        const ready = node.core.ready();
        if (ready !== undefined) {
          this.messages.push(...ready.messages);
          node.reads.push(...ready.reads);
          if (ready.snapshotWanted) node.snapshotsWanted++;
          if (ready.write !== undefined) node.unwritten.push(ready.write);
          if (ready.apply !== undefined) node.unapplied = ready.apply;
        }
        didWork = this.#work(node) || ready !== undefined;
        isBusy ||= didWork;
      }
    }
    return isBusy;
  }

  #work(node: GroupNode): boolean {
    let didWork = false;
    while (!node.isDiskHeld && node.unwritten.length > 0) {
      didWork = true;
      const batch = node.unwritten.shift()!;
      if (batch.snapshot !== undefined) {
        node.group = batch.snapshot;
        node.commands = [...this.#snapshots.get(batch.snapshot.index)!];
      }
      node.write(batch);
      if (batch.snapshot !== undefined) node.core.applied(batch.snapshot.index);
    }
    if (!node.isApplyHeld && node.unapplied !== undefined) {
      didWork = true;
      const batch = node.unapplied;
      node.unapplied = undefined;
      node.apply(batch);
    }
    return didWork;
  }

  /** A snapshot of what the node has applied. */
  makeSnapshot(id: NodeId): void {
    const node = this.node(id);
    this.#snapshots.set(node.group.index, [...node.commands]);
    node.core.snapshotMade(node.group);
  }

  /** Delivers messages until there are none; those that `lose` names are lost. */
  settle(lose: (message: Message) => boolean = () => false): void {
    while (this.collect() || this.messages.length > 0) {
      const message = this.messages.shift();
      if (message !== undefined && !lose(message)) this.deliver(message);
    }
  }

  deliver(message: Message): void {
    this.transcript.push(describeMessage(message));
    this.nodes.get(message.to)?.core.step(message);
  }

  tick(id: NodeId, count = 1): void {
    for (let at = 0; at < count; at++) this.core(id).tick();
  }

  /** Everyone's clock goes on, with all that comes of it. */
  tickAll(count: number, lose?: (message: Message) => boolean): void {
    for (let at = 0; at < count; at++) {
      for (const id of this.nodes.keys()) this.tick(id);
      this.settle(lose);
    }
  }

  /** Makes a node the leader, by its own election timeout after all leases have run out. */
  elect(id: NodeId): void {
    for (const [other, { core }] of this.nodes) for (let at = 0; at < (other === id ? 0 : 10); at++) core.tick();
    for (let at = 0; at < 20 && this.core(id).status().role === 'follower'; at++) this.tick(id);
    this.settle();
  }

  propose(id: NodeId, text: string): ReturnType<RaftCore['propose']> {
    return this.core(id).propose(new TextEncoder().encode(text), 0);
  }

  change(id: NodeId, change: ConfigChange['changes'], versionMax = 1): ReturnType<RaftCore['proposeConfigChange']> {
    return this.core(id).proposeConfigChange({ changes: change, context: '' }, versionMax);
  }

  /** The transcript since it was taken last. */
  take(): string[] {
    const taken = this.transcript;
    this.transcript = [];
    return taken;
  }
}

/** `1>2 t3 append after 4@2: 5@3 "x"; commit 4` */
function describeMessage(message: Message): string {
  const head = `${message.from}>${message.to} t${message.term}`;
  switch (message.type) {
    case 'vote':
      return `${head} ${message.pre ? 'pre-' : ''}vote? with ${message.lastIndex}@${message.lastTerm}${message.transfer ? ', asked to' : ''}`;
    case 'vote-response':
      return `${head} ${message.pre ? 'pre-' : ''}vote ${message.granted ? 'yes' : 'no'}`;
    case 'append':
      return `${head} append after ${message.prevIndex}@${message.prevTerm}: ${message.entries.map(describeEntry).join(' ') || 'nothing'}; commit ${message.commit}`;
    case 'append-response':
      return message.rejected
        ? `${head} append rejected at ${message.index}, try ${message.hintIndex}@${message.hintTerm}`
        : `${head} has ${message.index}`;
    case 'heartbeat':
      return `${head} heartbeat; commit ${message.commit}${message.round > 0 ? `, round ${message.round}` : ''}`;
    case 'heartbeat-response':
      return `${head} hears${message.round > 0 ? ` round ${message.round}` : ''}`;
    case 'snapshot':
      return `${head} snapshot ${message.snapshot.index}@${message.snapshot.term}`;
    case 'timeout-now':
      return `${head} take over`;
    case 'read-index':
      return `${head} read ${message.context}?`;
    case 'read-index-response':
      return `${head} read ${message.context} at ${message.index}`;
  }
}

function describeEntry({ index, term, kind, data }: Entry): string {
  const text =
    kind === 'command'
      ? JSON.stringify(new TextDecoder().decode(data))
      : kind === 'config'
        ? `config(${decodeConfigChange(data)
            .changes.map(({ type, id }) => `${type} ${id}`)
            .join(', ')})`
        : kind;
  return `${index}@${term} ${text}`;
}
