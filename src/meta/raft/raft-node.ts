// One node of a Raft group: the driver on a real disk, a real network and real time. It opens what its directory holds, or
// becomes a member of a group, and then takes commands and reads on any node: what only the leader can do is passed on.
// When its disk fails it stops for good, and says so; only a restart, which reads what is really there, can help.

import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { CallOptions } from '@connectrpc/connect';
import type { Clock } from '../../base/clock.js';
import { sleep } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';
import type { FileSystem } from '../../log/file-system.js';
import { membersOf } from '../../raft/configuration.js';
import type { Message } from '../../raft/message.js';
import type { NodeId } from '../../raft/node-id.js';
import type { RaftStatus } from '../../raft/raft-core.js';
import { RaftDriver } from '../../raft/raft-driver.js';
import { raftLimits } from '../../raft/raft-options.js';
import { emptyLog, joiningGroup, recoverRaft } from '../../raft/recovery.js';
import type { KvOutcome } from '../apply-entries.js';
import type { KvState } from '../kv-state.js';
import { outcomeOf } from './command-codec.js';
import { fetchSnapshot } from './fetch-snapshot.js';
import { Founders } from './founding.js';
import { encodeMembers, firstVersion, type Group, type Member, newestVersion, refuseNewer } from './group.js';
import { KvStateMachine } from './kv-state-machine.js';
import { openNodeFile, writeNodeFile } from './node-file.js';
import {
  askForChange,
  callPeer,
  changeRequest,
  findGroup,
  groupAnswered,
  meetFounders,
  type PeerClient,
  type PeerWay,
} from './peer-calls.js';
import { PeerLinks, type PeerTls } from './peer-links.js';
import { listenToPeers, type PeerListener } from './peer-listener.js';
import type { MemberRequest, PeerHost, PeerProgress } from './peer-service.js';
import { noLeader, settled } from './proposal-outcome.js';
import { RaftLogStore } from './raft-log-store.js';
import { safeNumber } from './raft-messages.js';
import type { SnapshotFile } from './snapshot-file.js';
import { SnapshotShelf } from './snapshot-shelf.js';

export interface RaftNodeOptions {
  /** As the operator calls it. It keeps its name. */
  readonly name: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** `HOST:PORT` that other nodes reach it at; where it listens when undefined. */
  readonly advertise?: string | undefined;
  /** Who founds a group together, this node included. */
  readonly founders: readonly { readonly name: string; readonly address: string }[];
  /** Addresses of members of a group to join instead. */
  readonly join: readonly string[];
  readonly tls: PeerTls | undefined;
  /** The newest version of entries that it understands: this release's, outside of tests. */
  readonly versionMax?: number;
}

export interface RaftNodeParts {
  readonly options: RaftNodeOptions;
  readonly directory: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** It takes part no more. */
  readonly onFailed: (error: CairnError) => void;
}

export class RaftNode implements PeerHost {
  readonly #parts: RaftNodeParts;
  readonly #closing = new AbortController();
  readonly #replacedListeners = new Set<() => void>();
  /** Who is known before the group itself says so. */
  readonly #acquaintances = new Map<NodeId, Member>();
  #links!: PeerLinks;
  #listener!: PeerListener;
  #log: RaftLogStore | undefined;
  #machine: KvStateMachine | undefined;
  #driver: RaftDriver<KvOutcome, SnapshotFile> | undefined;
  self!: Member;
  shelf!: SnapshotShelf;
  founders!: Founders;

  private constructor(parts: RaftNodeParts) {
    this.#parts = parts;
    // Every call listens for the end of all.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Resolves when the node takes part: a founder waits for all others. The signal ends the waiting. */
  static async open(parts: RaftNodeParts, signal?: AbortSignal): Promise<RaftNode> {
    const node = new RaftNode(parts);
    const stop = () => node.#closing.abort();
    signal?.addEventListener('abort', stop);
    try {
      await node.#open();
      return node;
    } catch (error) {
      await node.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async #open(): Promise<void> {
    const { options, directory, fs, clock, random, logger } = this.#parts;
    const identity = await openNodeFile(fs, directory, options.name, random);
    this.shelf = await SnapshotShelf.open(fs, join(directory, 'snapshots'));
    const { store, stored } = await RaftLogStore.open({ fs, directory: join(directory, 'log'), random, clock });
    this.#log = store;
    this.#links = new PeerLinks({
      id: identity.id,
      incarnation: Buffer.from(random.bytes(16)).toString('hex'),
      groupId: () => this.group?.groupId ?? '',
      addressOf: (id) => this.#addressOf(id),
      tls: options.tls,
      clock,
      onBroken: (to, error) => logger.info({ peer: to, err: error }, 'the stream to a node of the group ended'),
    });
    this.#listener = await listenToPeers(this, options);
    this.self = {
      id: identity.id,
      name: options.name,
      address: options.advertise ?? `${options.listen.host}:${this.#listener.port}`,
    };
    this.founders = new Founders(
      this.self,
      options.founders.map(({ name }) => name),
    );
    this.#listener.serve();
    this.#machine = await KvStateMachine.open(
      {
        fs,
        directory: join(directory, 'state'),
        shelf: this.shelf,
        onReplaced: () => {
          for (const listener of this.#replacedListeners) listener();
        },
        onGroup: (group) => this.#links.keep(new Set(membersOf(group.configuration))),
        refuse: (group) => refuseNewer(group, options.name, this.#versionMax),
      },
      () => this.#findGroup(),
    );
    const { group } = this.#machine;
    if (stored === undefined) {
      if (identity.hasBegun) {
        throw new CairnError('corrupt', 'this node has lost its log: remove it from its group, and let it join anew');
      }
      await store.begin(emptyLog(group));
      await writeNodeFile(fs, directory, { ...identity, hasBegun: true });
    }
    this.#start(stored ?? emptyLog(group));
    if (membersOf(group.configuration).length === 0) await this.#enter();
    void this.#becomeVoter();
  }

  async #findGroup(): Promise<Group> {
    const { options } = this.#parts;
    if (options.join.length === 0) return meetFounders(this.#way(), this.founders, options.founders);
    const { groupId, clusterVersion } = await findGroup(this.#way(), options.join);
    refuseNewer({ clusterVersion }, options.name, this.#versionMax);
    return { ...joiningGroup, members: [], groupId };
  }

  #way(): PeerWay {
    return { links: this.#links, clock: this.#parts.clock, signal: this.#closing.signal, self: this.self };
  }

  #start(stored: Parameters<typeof recoverRaft>[0]): void {
    const { random, clock, logger, onFailed } = this.#parts;
    const machine = this.#machine!;
    const store = this.#log!;
    this.#driver = new RaftDriver<KvOutcome, SnapshotFile>(
      {
        options: {
          id: this.self.id,
          electionTicks: limits.raftElectionTicks,
          heartbeatTicks: limits.raftHeartbeatTicks,
          versionMax: this.#versionMax,
          random: (end) => Math.floor((Buffer.from(random.bytes(6)).readUIntBE(0, 6) / 2 ** 48) * end),
          limits: raftLimits,
        },
        driver: {
          requestTicks: limits.raftRequestTicks,
          readRetryTicks: limits.raftReadRetryTicks,
          logKeptBytes: limits.raftLogKeptBytes,
          logPinnedBytesMax: limits.raftLogPinnedBytesMax,
          requestsMax: limits.raftRequestsMax,
        },
        storage: store,
        transport: {
          send: (message) => this.#links.send(message),
          fetchSnapshot: (offer, done) => {
            this.#fetchSnapshot(offer.from, offer.snapshot.index).then(
              (fetched) => done(undefined, fetched),
              (error: unknown) => {
                logger.warn({ err: error, from: offer.from }, 'a snapshot could not be fetched');
                done(error instanceof CairnError ? error : new CairnError('unavailable', String(error)));
              },
            );
          },
          discardSnapshot: ({ path }) => void this.#parts.fs.remove(path).catch(() => {}),
        },
        stateMachine: machine,
        soon: (callback) => void setImmediate(callback),
        onFailed: (error) => {
          logger.warn({ err: error }, 'this node takes no more part in its group');
          onFailed(error);
        },
      },
      recoverRaft(stored, machine.group),
    );
    let next = clock.monotonic() + limits.raftTickMilliseconds;
    const tick = () => {
      if (this.#closing.signal.aborted) return;
      this.#driver!.tick();
      // On a busy machine timers come late: the next tick makes up for it, but what was slept through is no silence of others.
      next = Math.max(next + limits.raftTickMilliseconds, clock.monotonic());
      clock.after(next - clock.monotonic(), tick);
    };
    clock.after(limits.raftTickMilliseconds, tick);
  }

  /** Who asks, in calls to other members. */
  #asker(): { readonly groupId: string; readonly from: bigint } {
    return { groupId: this.group!.groupId, from: BigInt(this.self.id) };
  }

  #addressOf(id: NodeId): string | undefined {
    return (this.group?.members.find((member) => member.id === id) ?? this.#acquaintances.get(id))?.address;
  }

  #fetchSnapshot(from: NodeId, index: number): Promise<SnapshotFile> {
    const address = this.#addressOf(from);
    if (address === undefined) throw new CairnError('unavailable', `nobody knows where ${from} is`);
    const { fs } = this.#parts;
    const target = { fs, directory: this.shelf.directory };
    return fetchSnapshot(this.#links.clientAt(address), { ...this.#asker(), index }, target, this.#closing.signal);
  }

  /** Asks to be taken in, until the group has done so. Who is there is learned on the way. */
  async #enter(): Promise<void> {
    const { options, clock, logger } = this.#parts;
    while (!this.#closing.signal.aborted && this.group!.configuration.voters.length === 0) {
      try {
        const { members } = await findGroup(this.#way(), options.join);
        for (const member of members) this.#acquaintances.set(member.id, member);
        await askForChange(this.#way(), options.join, this.group!.groupId, [
          { kind: 'learner', member: this.self, versionMax: this.#versionMax },
        ]);
      } catch (error) {
        logger.info({ err: error }, 'not taken into the group yet');
      }
      await sleep(clock, limits.raftJoinMilliseconds);
    }
  }

  /** A node that was taken in as a learner votes as soon as it has caught up, which the leader decides. */
  async #becomeVoter(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#closing.signal.aborted) {
      if (this.group!.configuration.learners.includes(this.self.id)) {
        await this.changeMembers([{ kind: 'voter', member: this.self, versionMax: this.#versionMax }]).catch(() => {});
      } else if (this.group!.configuration.voters.includes(this.self.id)) return;
      await sleep(clock, limits.raftJoinMilliseconds);
    }
  }

  get #versionMax(): number {
    return this.#parts.options.versionMax ?? newestVersion;
  }

  get group(): Group | undefined {
    return this.#machine?.group;
  }

  /** The applied state of this node. Another one after `onReplaced`. */
  get state(): KvState {
    return this.#machine!.state;
  }

  status(): RaftStatus {
    return this.#driver!.status();
  }

  /** Calls back when `state` has been replaced. The answer stops that. */
  onReplaced(listener: () => void): () => void {
    this.#replacedListeners.add(listener);
    return () => this.#replacedListeners.delete(listener);
  }

  receive(message: Message): void {
    this.#links.heard(message.from);
    this.#driver?.receive(message);
  }

  proposeHere(command: Uint8Array): Promise<KvOutcome> {
    return new Promise((resolve, reject) => {
      this.#driver!.propose(command, firstVersion, settled(resolve, reject));
    });
  }

  /** Has the leader do it, wherever it is. `timeout` and `unavailable`: it may have been done, or may be yet. */
  async propose(command: Uint8Array): Promise<KvOutcome> {
    return this.#atLeader(
      () => this.proposeHere(command),
      (client, options) =>
        client.propose({ ...this.#asker(), command }, options).then(({ result }) => outcomeOf(result)),
      (outcome) => outcome instanceof CairnError && outcome.code === 'unavailable',
    );
  }

  /** Resolves when this node's applied state holds everything that was answered before the call, by any node. */
  readable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#driver!.read((outcome) => {
        if (outcome === 'ready') resolve();
        else if (outcome === 'overloaded') reject(new CairnError('overloaded', 'too many reads wait for the leader'));
        else reject(noLeader());
      });
    });
  }

  async changeMembers(changes: readonly MemberRequest[]): Promise<Group> {
    return this.#atLeader(
      () => this.#changeMembersHere(changes),
      async (client, options) =>
        groupAnswered(await client.changeMembers(changeRequest(this.group!.groupId, changes), options)),
    );
  }

  async #changeMembersHere(changes: readonly MemberRequest[]): Promise<Group> {
    const { commit, peers } = this.status();
    for (const { kind, member, versionMax = newestVersion } of changes) {
      if (kind !== 'remove') refuseNewer(this.group!, member.name, versionMax);
      if (kind !== 'voter') continue;
      const match = peers.find(({ id }) => id === member.id)?.match ?? 0;
      if (commit - match > limits.raftVoterLagMax) {
        throw new CairnError(
          'failed_precondition',
          `${member.name} has yet to catch up: it is at ${match} of ${commit}`,
        );
      }
    }
    const change = {
      changes: changes.map(({ kind, member }) => ({ type: kind, id: member.id })),
      context: encodeMembers(changes.flatMap(({ kind, member }) => (kind === 'remove' ? [] : [member]))),
    };
    const coming = changes.flatMap(({ kind, versionMax = newestVersion }) => (kind === 'remove' ? [] : [versionMax]));
    await new Promise<KvOutcome>((resolve, reject) =>
      this.#driver!.changeMembers(change, Math.min(...coming), settled(resolve, reject)),
    );
    return this.group!;
  }

  /** Lets entries of a newer kind in, for good, once all members understand them. `failed_precondition` before. */
  async raiseVersion(version: number): Promise<void> {
    await new Promise<KvOutcome>((resolve, reject) => this.#driver!.raiseVersion(version, settled(resolve, reject)));
  }

  progressHere(): readonly PeerProgress[] {
    const { role, peers, lastIndex, stableIndex } = this.status();
    if (role !== 'leader') throw noLeader();
    const others = peers.map(({ id, next, match }) => ({ id, nextIndex: next, matchIndex: match }));
    return [{ id: this.self.id, nextIndex: lastIndex + 1, matchIndex: stableIndex }, ...others];
  }

  /** How far the members are, this node left out. Empty while there is no leader. */
  async progress(): Promise<readonly PeerProgress[]> {
    const { role, leader } = this.status();
    const all = role === 'leader' ? this.progressHere() : await this.#progressAt(leader);
    return all.filter(({ id }) => id !== this.self.id);
  }

  async #progressAt(leader: NodeId): Promise<readonly PeerProgress[]> {
    const address = this.#addressOf(leader);
    if (address === undefined) return [];
    const options = { timeoutMs: limits.raftHelloMillisecondsMax };
    const { members } = await this.#links.clientAt(address).progress(this.#asker(), options);
    return members.map(({ id, nextIndex, matchIndex }) => ({
      id: safeNumber(id),
      nextIndex: safeNumber(nextIndex),
      matchIndex: safeNumber(matchIndex),
    }));
  }

  /** False when this node does not lead, or `to` has no vote. */
  transferLeadership(to: NodeId): boolean {
    return this.#driver!.transferLeadership(to);
  }

  /** Tries here while this node leads, at the leader otherwise, and again for a while where nothing can have happened. */
  async #atLeader<T>(
    here: () => Promise<T>,
    there: (client: PeerClient, options: CallOptions) => Promise<T>,
    isRefused: (answer: T) => boolean = () => false,
  ): Promise<T> {
    const { clock } = this.#parts;
    const deadline = clock.monotonic() + limits.raftCallMillisecondsMax;
    for (;;) {
      const { role, leader } = this.status();
      const address = this.#addressOf(leader);
      let refusal: CairnError | undefined;
      if (role === 'leader') {
        try {
          return await here();
        } catch (error) {
          if (!(error instanceof CairnError) || error.code !== 'unavailable') throw error;
          refusal = error;
        }
      } else if (address !== undefined) {
        const timeoutMs = Math.max(1, Math.ceil(deadline - clock.monotonic()));
        const options = { timeoutMs, signal: this.#closing.signal };
        const called = await callPeer(() => there(this.#links.clientAt(address), options));
        if (called !== undefined && !isRefused(called.answer)) return called.answer;
      }
      if (this.#closing.signal.aborted || clock.monotonic() >= deadline) throw refusal ?? noLeader();
      await sleep(clock, limits.raftRetryMilliseconds);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#driver?.stop();
    this.#links?.close();
    await this.#listener?.close();
    await this.#log?.close();
    await this.#machine?.close();
  }
}
