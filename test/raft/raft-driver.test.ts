import { describe, expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import type { ProposalOutcome, RaftDriverParts } from '../../src/raft/driver-parts.js';
import type { Message, SnapshotOffer } from '../../src/raft/message.js';
import type { ApplyBatch, LogBase, WriteBatch } from '../../src/raft/raft-core.js';
import { RaftDriver } from '../../src/raft/raft-driver.js';
import { raftLimits } from '../../src/raft/raft-options.js';
import { emptyLog, foundingGroup, recoverRaft } from '../../src/raft/recovery.js';

type Done<T extends unknown[]> = (error?: CairnError, ...rest: T) => void;

/** A driver over parts that do nothing until the test says so. */
function driverOf(voters: readonly number[]) {
  const writes: { batch: WriteBatch; done: Done<[]> }[] = [];
  const applies: {
    batch: ApplyBatch;
    known: (results: readonly string[]) => void;
    done: (error: CairnError | undefined, results: readonly string[]) => void;
  }[] = [];
  const installs: { fetched: string; done: Done<[]> }[] = [];
  const fetches: { offer: SnapshotOffer; done: (error: CairnError | undefined, fetched?: string) => void }[] = [];
  const [sent, forgotten, failures, discarded]: [Message[], LogBase[], CairnError[], string[]] = [[], [], [], []];
  const parts: RaftDriverParts<string, string> = {
    options: { id: 1, electionTicks: 10, heartbeatTicks: 1, versionMax: 1, random: () => 0, limits: raftLimits },
    driver: { requestTicks: 30, readRetryTicks: 10, logKeptBytes: 100, logPinnedBytesMax: 10_000, requestsMax: 3 },
    storage: { write: (batch, done) => writes.push({ batch, done }), forget: (base) => forgotten.push(base) },
    transport: {
      send: (message) => sent.push(message),
      fetchSnapshot: (offer, done) => fetches.push({ offer, done }),
      discardSnapshot: (fetched) => discarded.push(fetched),
    },
    stateMachine: {
      durableIndex: 1000,
      apply: (batch, known, done) => applies.push({ batch, known, done }),
      makeSnapshot: () => {},
      install: (fetched, _group, done) => installs.push({ fetched, done }),
    },
    soon: (run) => run(),
    onFailed: (error) => failures.push(error),
  };
  const group = foundingGroup(voters, 0);
  const driver = new RaftDriver(parts, recoverRaft(emptyLog(group), group));
  const tick = (count: number) => {
    for (let at = 0; at < count; at++) driver.tick();
  };
  /** The disk and the state machine catch up. */
  const work = () => {
    while (writes.length > 0 || applies.length > 0) {
      writes.shift()?.done();
      const apply = applies.shift();
      apply?.done(
        undefined,
        apply.batch.entries.map(({ data }) => `did ${new TextDecoder().decode(data)}`),
      );
    }
  };
  return { driver, writes, applies, installs, fetches, sent, forgotten, failures, discarded, tick, work };
}

/** A group of one, which leads. */
function leading() {
  const all = driverOf([1]);
  all.tick(11);
  all.work();
  expect(all.driver.status().role).toBe('leader');
  return all;
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a driver', () => {
  it('tells who proposed what became of it, when it is applied', () => {
    const { driver, work } = leading();
    const outcomes: ProposalOutcome<string>[] = [];
    driver.propose(bytes('a'), 0, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([]);
    work();
    expect(outcomes).toEqual([{ kind: 'applied', index: 3, result: 'did a' }]);
  });

  it('tells it when it is certain, and lets reads wait until it can be seen', () => {
    const { driver, writes, applies, work } = leading();
    work();
    const told: string[] = [];
    driver.propose(bytes('a'), 0, ({ kind }) => told.push(kind));
    driver.changeMembers({ changes: [{ type: 'learner', id: 2 }], context: '' }, 1, () => told.push('changed'));
    while (writes.length > 0) writes.shift()!.done();
    driver.read((outcome) => told.push(outcome));
    applies[0]!.known(['did a']);
    expect(told).toEqual(['applied']);
    applies.shift()!.done(undefined, ['did a']);
    // A change of members is not in force before it is applied, and reads look at all that was committed.
    applies[0]!.known(['']);
    expect(told).toEqual(['applied']);
    work();
    expect(told.sort()).toEqual(['applied', 'changed', 'ready']);
  });

  it('lets reads wait for what was committed before them', () => {
    const { driver, writes, work } = leading();
    const outcomes: string[] = [];
    driver.propose(bytes('a'), 0, () => {});
    writes.shift()!.done();
    expect(driver.status()).toMatchObject({ commit: 3, applied: 2 });
    driver.read((outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([]);
    work();
    expect(outcomes).toEqual(['ready']);
  });

  it('refuses more than it may hold', () => {
    const { driver } = leading();
    const outcomes: unknown[] = [];
    for (let at = 0; at < 4; at++) driver.propose(bytes('a'), 0, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([{ kind: 'refused', reason: 'overloaded', leader: 1 }]);
  });

  it('gives up after a time, and does not claim to know', () => {
    const { driver, tick } = driverOf([1, 2, 3]);
    const outcomes: unknown[] = [];
    driver.read((outcome) => outcomes.push(outcome));
    driver.propose(bytes('a'), 0, (outcome) => outcomes.push(outcome));
    tick(31);
    expect(outcomes).toEqual([{ kind: 'refused', reason: 'not_leader', leader: 0 }, 'unavailable']);
  });

  it('stops when a write fails: what is durable only a restart can tell', () => {
    const { driver, writes, failures, tick } = leading();
    const outcomes: unknown[] = [];
    driver.propose(bytes('a'), 0, (outcome) => outcomes.push(outcome));
    const error = new CairnError('storage', 'a sync failed');
    writes.shift()!.done(error);
    expect(failures).toEqual([error]);
    expect(outcomes).toEqual([{ kind: 'unknown' }]);
    tick(50);
    driver.propose(bytes('b'), 0, (outcome) => outcomes.push(outcome));
    driver.read((outcome) => outcomes.push(outcome));
    expect(outcomes.slice(1)).toEqual([{ kind: 'refused', reason: 'stopped', leader: 1 }, 'stopped']);
    expect(writes).toEqual([]);
  });

  it('lets the disk forget what is durable in the applied state', () => {
    const { driver, forgotten, work } = leading();
    for (let at = 0; at < 20; at++) {
      driver.propose(bytes('some text'), 0, () => {});
      work();
    }
    expect(forgotten.length).toBeGreaterThan(1);
    expect(driver.status().firstIndex).toBe(forgotten.at(-1)!.index + 1);
  });
});

describe('a snapshot that is offered', () => {
  const offer = (index: number): SnapshotOffer => {
    const snapshot = { ...foundingGroup([1, 2, 3], 0), index, term: 5 };
    return { type: 'snapshot', from: 2, to: 1, term: 5, snapshot };
  };

  it('is fetched once, installed before the log is told, and then acknowledged', () => {
    const { driver, writes, installs, fetches, sent } = driverOf([1, 2, 3]);
    driver.receive(offer(9));
    driver.receive(offer(9));
    expect(fetches).toHaveLength(1);
    fetches[0]!.done(undefined, 'file');
    expect(installs).toMatchObject([{ fetched: 'file' }]);
    expect(writes).toEqual([]);
    installs[0]!.done();
    expect(writes).toMatchObject([{ batch: { hardState: { term: 5, commit: 9 }, snapshot: { index: 9 } } }]);
    expect(sent).toEqual([]);
    writes[0]!.done();
    expect(sent).toMatchObject([{ type: 'append-response', rejected: false, index: 9 }]);
    expect(driver.status()).toMatchObject({ applied: 9, firstIndex: 10 });
  });

  it('is fetched again when that failed, and thrown away when it is no longer of use', () => {
    const { driver, fetches, installs, discarded } = driverOf([1, 2, 3]);
    driver.receive(offer(9));
    fetches[0]!.done(new CairnError('unavailable', 'gone'));
    driver.receive(offer(9));
    expect(fetches).toHaveLength(2);
    driver.receive({ type: 'heartbeat', from: 3, to: 1, term: 6, commit: 0, round: 0 });
    fetches[1]!.done(undefined, 'file');
    expect(discarded).toEqual(['file']);
    expect(installs).toEqual([]);
  });
});
