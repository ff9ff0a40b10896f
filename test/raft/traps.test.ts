// Mistakes that other implementations have made, each as a small story. In every one the group goes on as if nothing were.

import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/raft/message.js';
import { emptyLog, foundingGroup, recoverRaft } from '../../src/raft/recovery.js';
import { RaftGroup } from '../support/raft-group.js';

const three = { voters: [1, 2, 3] };
/** Messages to or from a node. */
const of =
  (id: number) =>
  ({ from, to }: Message) =>
    from === id || to === id;
const leaders = (group: RaftGroup) => [...group.nodes.keys()].filter((id) => group.core(id).status().role === 'leader');

describe('heartbeats', () => {
  it('go the one way that everything goes: an old leader hears of the new term from the answer to one', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.tickAll(5, of(1));
    group.core(2).step({ type: 'timeout-now', from: 1, to: 2, term: 2 });
    group.settle(of(1));
    expect(leaders(group)).toEqual([1, 2]);
    group.take();
    group.tick(1);
    group.settle();
    expect(group.take()).toContain('1>2 t2 heartbeat; commit 2');
    expect(leaders(group)).toEqual([2]);
    expect(group.core(1).status()).toMatchObject({ role: 'follower', term: 3 });
  });

  it('make a candidate of the same term a follower, and nothing of its candidacy stays', () => {
    const group = new RaftGroup(three);
    group.node(3).core.step({ type: 'timeout-now', from: 1, to: 3, term: 1 });
    group.settle(of(3));
    expect(group.core(3).status()).toMatchObject({ role: 'candidate', term: 2 });
    group.node(1).core.step({ type: 'timeout-now', from: 2, to: 1, term: 1 });
    group.settle();
    expect(group.core(3).status()).toMatchObject({ role: 'follower', term: 2, leader: 1 });
    expect(leaders(group)).toEqual([1]);
  });

  it('commit no more than the follower is known to hold', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    group.settle(of(3));
    group.take();
    group.tick(1);
    group.collect();
    expect(group.messages.filter(({ type }) => type === 'heartbeat')).toMatchObject([
      { to: 2, commit: 3 },
      { to: 3, commit: 2 },
    ]);
  });
});

describe('a transfer of leadership', () => {
  it('is over when the leader is no longer one: the next term takes proposals', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    expect(group.core(1).transferLeadership(2)).toBe(true);
    expect(group.propose(1, 'a').refused).toBe('transferring');
    group.settle(of(2));
    group.tickAll(30, of(1));
    const next = leaders(group).find((id) => id !== 1)!;
    group.tickAll(5);
    group.core(next).transferLeadership(1);
    group.settle();
    expect(leaders(group)).toEqual([1]);
    expect(group.propose(1, 'b').refused).toBeUndefined();
  });

  it('is given up after an election timeout', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    group.settle(of(2));
    group.core(1).transferLeadership(2);
    group.tickAll(9, of(2));
    expect(group.propose(1, 'b').refused).toBe('transferring');
    group.tickAll(1, of(2));
    expect(group.propose(1, 'b').refused).toBeUndefined();
  });

  it('happens at once, without waiting for a timeout and past the lease', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    group.core(1).transferLeadership(3);
    group.settle();
    expect(leaders(group)).toEqual([3]);
    expect(group.node(3).commands).toEqual(['a']);
  });
});

describe('a snapshot', () => {
  it('leaves nothing of a log that conflicts with it', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.settle();
    for (const text of ['x', 'y', 'z']) group.propose(1, text);
    group.settle(({ from }) => from === 1);
    // Node 1 has three entries that nobody else has. The others go on without it, and compact.
    group.tickAll(25, of(1));
    const leader = leaders(group).find((id) => id !== 1)!;
    group.propose(leader, 'a');
    group.settle(of(1));
    const { index } = group.node(leader).group;
    expect(group.core(1).status().lastIndex).toBeGreaterThan(index);
    group.core(leader).compact(index, 0, 0);
    group.makeSnapshot(leader);
    group.tickAll(15);
    expect(group.take().some((line) => line.includes(`${leader}>1`) && line.includes('snapshot'))).toBe(true);
    expect(group.node(1).commands).toEqual(['a']);
    group.node(1).restart();
    group.propose(leader, 'b');
    group.tickAll(3);
    expect(group.node(1).commands).toEqual(['a', 'b']);
  });

  it('leaves nothing of such a log after a restart either, when the log was not told before it', () => {
    const log = emptyLog(foundingGroup([1, 2, 3], 0));
    const entry = (index: number, term: number) =>
      ({ index, term, kind: 'command', version: 0, data: new Uint8Array(0) }) as const;
    const stored = { ...log, hardState: { term: 2, vote: 1, commit: 1 }, entries: [2, 3, 4].map((at) => entry(at, 2)) };
    const installed = { ...foundingGroup([1, 2, 3], 0), index: 3, term: 3 };
    const { start, replacedBy } = recoverRaft(stored, installed);
    expect(replacedBy).toBe(installed);
    expect(start.log).toEqual({ baseIndex: 3, baseTerm: 3, entries: [], commit: 3, applied: 3 });
    expect(start.hardState).toEqual({ term: 3, vote: 0, commit: 3 });
  });

  it('of what the log has already keeps the log, whose newer entries were promised', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    for (const text of ['a', 'b']) group.propose(1, text);
    group.settle(({ type, commit }: Message & { commit?: number }) => type === 'append' && commit! > 2);
    const { term, group: state } = group.core(1).status();
    const { lastIndex } = group.core(3).status();
    group.core(3).step({ type: 'snapshot', from: 1, to: 3, term, snapshot: { ...state, index: 3, term } });
    expect(group.core(3).status()).toMatchObject({ commit: 3, lastIndex });
  });

  it.each(Array.from({ length: 10 }, (_, offset) => offset))(
    'is offered again when the offer was lost, and the log waits for it, offered %i ticks later',
    (offset) => {
      const group = new RaftGroup(three);
      group.elect(1);
      group.tickAll(3, of(3));
      for (const text of ['a', 'b', 'c']) group.propose(1, text);
      group.settle(of(3));
      group.core(1).compact(4, 0, 0);
      group.tickAll(offset);
      group.makeSnapshot(1);
      const isOffer = ({ type }: Message) => type === 'snapshot';
      group.tickAll(4, isOffer);
      expect(
        group
          .core(1)
          .status()
          .peers.find(({ id }) => id === 3)?.state,
      ).toBe('snapshot');
      group.propose(1, 'd');
      group.settle(isOffer);
      // What follows the snapshot is kept, unless there is too much of it.
      expect(group.core(1).compact(6, 0, 1000)).toEqual({ index: 5, term: 2 });
      for (let tick = 0; tick < 25; tick++) {
        group.propose(1, 'e');
        group.tickAll(1, isOffer);
        // Also between a check for a quorum and the next answers.
        group.tick(1);
        expect(group.core(1).compact(group.node(1).group.index, 0, 1_000_000)).toBeUndefined();
      }
      group.tickAll(12);
      expect(group.node(3).commands.slice(0, 5)).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(group.node(3).commands).toEqual(group.node(1).commands);
    },
  );

  it('keeps nothing for a member that has gone silent', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.tickAll(3, of(3));
    for (const text of ['a', 'b', 'c']) group.propose(1, text);
    group.settle(of(3));
    group.core(1).compact(4, 0, 0);
    group.makeSnapshot(1);
    group.tickAll(3, ({ type }) => type === 'snapshot');
    group.propose(1, 'd');
    group.tickAll(25, of(3));
    expect(group.core(1).compact(6, 0, 1_000_000)).toEqual({ index: 6, term: 2 });
    group.tickAll(5);
    group.makeSnapshot(1);
    group.tickAll(5);
    expect(group.node(3).commands).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a disk', () => {
  it('that hangs takes its leader out of office: its heart would beat on', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.node(1).isDiskHeld = true;
    group.propose(1, 'a');
    group.settle();
    group.tickAll(9);
    expect(leaders(group)).toEqual([1]);
    group.tickAll(1);
    expect(leaders(group)).toEqual([]);
    expect(group.core(1).status().isDiskStalled).toBe(true);
    group.tickAll(25);
    expect(leaders(group)).toHaveLength(1);
    expect(leaders(group)).not.toEqual([1]);
    group.node(1).isDiskHeld = false;
    group.tickAll(3);
    expect(group.node(1).commands).toEqual(['a']);
  });

  it('of a single voter is waited for before anything is committed', () => {
    const group = new RaftGroup({ voters: [1] });
    group.elect(1);
    group.node(1).isDiskHeld = true;
    group.propose(1, 'a');
    group.settle();
    expect(group.core(1).status().commit).toBe(2);
    group.node(1).isDiskHeld = false;
    group.settle();
    expect(group.core(1).status().commit).toBe(3);
  });

  it('of a leader counts only for what it has acknowledged', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.node(1).isDiskHeld = true;
    group.propose(1, 'a');
    group.settle(of(3));
    expect(group.core(1).status().commit).toBe(2);
    group.tickAll(2);
    expect(group.core(1).status().commit).toBe(3);
  });

  it('has term, vote and entries in one batch, and no answer leaves before', () => {
    const group = new RaftGroup(three);
    group.node(2).isDiskHeld = true;
    group.core(2).step({ type: 'vote', from: 1, to: 2, term: 2, pre: false, transfer: true, lastIndex: 1, lastTerm: 1, commit: 1, commitTerm: 1 });
    group.core(2).step({ type: 'append', from: 1, to: 2, term: 2, prevIndex: 1, prevTerm: 1, commit: 1, entries: [{ index: 2, term: 2, kind: 'noop', version: 0, data: new Uint8Array(0) }] });
    group.collect();
    expect(group.messages).toEqual([]);
    expect(group.node(2).unwritten).toMatchObject([{ hardState: { term: 2, vote: 1 }, entries: [{ index: 2 }] }]);
    group.node(2).isDiskHeld = false;
    group.collect();
    expect(group.messages.map(({ type }) => type)).toEqual(['vote-response', 'append-response']);
  }); // biome-ignore format: messages

  it('that has lost what it promised is refused: the node needs a new id', () => {
    const log = emptyLog(foundingGroup([1, 2, 3], 0));
    const lost = { ...log, hardState: { term: 2, vote: 1, commit: 5 } };
    expect(() => recoverRaft(lost, foundingGroup([1, 2, 3], 0))).toThrowError(
      expect.objectContaining({ code: 'corrupt' }),
    );
    const compacted = { ...log, base: { index: 9, term: 2 }, hardState: { term: 2, vote: 1, commit: 9 } };
    expect(() => recoverRaft(compacted, foundingGroup([1, 2, 3], 0))).toThrowError(
      expect.objectContaining({ code: 'corrupt' }),
    );
  });
});

describe('pre-vote', () => {
  it('keeps a node that was cut off from disturbing the term', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.tickAll(60, of(3));
    expect(group.core(3).status()).toMatchObject({ role: 'candidate', term: 2 });
    group.tickAll(3);
    expect(leaders(group)).toEqual([1]);
    expect(group.core(1).status().term).toBe(2);
  });

  it('does not deadlock when the longer log is in the older term', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    group.settle(of(3));
    // Node 3 gets into a newer term by itself; only 2 has what was committed; 1 is gone.
    group.core(3).step({ type: 'timeout-now', from: 1, to: 3, term: 2 });
    group.settle(of(1));
    expect(group.core(3).status().term).toBeGreaterThan(group.core(2).status().term - 1);
    group.tickAll(60, of(1));
    expect(leaders(group).filter((id) => id !== 1)).toEqual([2]);
    expect(group.node(3).commands).toEqual(['a']);
  });
});

describe('reads', () => {
  it('wait for the first commit of the term: before, the leader does not know what is committed', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    // Committed by 1 with 2, who does not know it yet; then 2 leads.
    group.settle(
      ({ to, type, commit }: Message & { commit?: number }) => to === 3 || (type === 'append' && commit === 3),
    );
    expect(group.node(1).commands).toEqual(['a']);
    group.core(2).step({ type: 'timeout-now', from: 1, to: 2, term: 2 });
    group.settle(({ type }) => type === 'append');
    expect(leaders(group)).toContain(2);
    group.core(2).readIndex(7);
    group.tick(2);
    group.settle(({ type }) => type === 'append');
    expect(group.node(2).reads).toEqual([]);
    group.tickAll(3);
    expect(group.node(2).reads).toEqual([{ context: 7, index: 4 }]);
    expect(group.node(2).commands).toEqual(['a']);
  });

  it('are not answered by a leader that no quorum hears', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.core(1).readIndex(7);
    group.tickAll(5, of(1));
    expect(group.node(1).reads).toEqual([]);
    group.tickAll(20, of(1));
    expect(group.node(1).reads).toEqual([{ context: 7, index: undefined }]);
  });

  it('of many share a round of questions, and one that comes during a round waits for the next', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.take();
    for (const context of [7, 8, 9]) group.core(1).readIndex(context);
    group.core(2).readIndex(10);
    group.settle();
    const asked = group.take().filter((line) => line.startsWith('1>') && line.includes('round'));
    expect(asked.filter((line) => line.includes('round 1'))).toHaveLength(2);
    expect(asked.filter((line) => line.includes('round 2'))).toHaveLength(2);
    expect(group.node(1).reads).toEqual([7, 8, 9].map((context) => ({ context, index: 2 })));
    expect(group.node(2).reads).toEqual([{ context: 10, index: 2 }]);
  });
});

describe('a change of members', () => {
  it('is in force when it is applied, and the next is refused until then', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.join(4);
    group.node(1).isApplyHeld = true;
    expect(group.change(1, [{ type: 'voter', id: 4 }]).refused).toBeUndefined();
    group.settle();
    expect(group.core(1).status()).toMatchObject({ commit: 3, applied: 2 });
    expect(group.core(1).status().group.configuration.voters).toEqual([1, 2, 3]);
    expect(group.change(1, [{ type: 'remove', id: 3 }]).refused).toBe('config_pending');
    group.node(1).isApplyHeld = false;
    group.settle();
    expect(group.core(1).status().group.configuration.voters).toEqual([1, 2, 3, 4]);
    expect(group.change(1, [{ type: 'remove', id: 3 }]).refused).toBeUndefined();
  });

  it('that is committed and not applied keeps a node from standing: it does not know whose votes count', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.node(2).isApplyHeld = true;
    group.change(1, [{ type: 'remove', id: 3 }]);
    group.tickAll(2);
    expect(group.core(2).status()).toMatchObject({ commit: 3 });
    group.tickAll(60, of(1));
    expect(group.core(2).status().role).toBe('follower');
    group.node(2).isApplyHeld = false;
    group.tickAll(60);
    expect(leaders(group)).toHaveLength(1);
  });

  it('is remembered with the entries behind it: a log with the next one knows that this one is committed', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.change(1, [{ type: 'learner', id: 3 }]);
    group.settle();
    group.change(1, [{ type: 'voter', id: 3 }]);
    group.settle(of(3));
    const { hardState, entries } = group.node(2).log;
    expect(entries.filter(({ kind }) => kind === 'config').map(({ index }) => index)).toEqual([3, 4]);
    expect(hardState.commit).toBeGreaterThanOrEqual(3);
  });

  it('is learned of in an election by the only node that can win it', () => {
    // 1 leads 1, 2, 3 and makes 4 a voter in place of 3. 4 has the longest log; only 3 knows that the change is committed.
    const group = new RaftGroup(three);
    group.join(4);
    group.elect(1);
    group.change(1, [{ type: 'learner', id: 4 }]);
    group.makeSnapshot(1);
    group.tickAll(15);
    expect(group.core(4).status().lastIndex).toBe(3);
    const cut2 = of(2);
    group.node(1).isApplyHeld = true;
    group.change(1, [{ type: 'voter', id: 4 }, { type: 'learner', id: 3 }]); // biome-ignore format: a table
    const isNewsTo4 = ({ to, type, commit }: Message & { commit?: number }) => {
      return to === 4 && (type === 'append' || type === 'heartbeat') && commit! > 3;
    };
    group.settle((message) => cut2(message) || isNewsTo4(message));
    group.propose(1, 'more');
    group.collect();
    const more = group.messages.find(({ type, to }) => type === 'append' && to === 4);
    group.messages = [];
    expect(group.core(3).status()).toMatchObject({ commit: 4, lastIndex: 4 });
    if (more?.type === 'append') group.core(4).step({ ...more, commit: 3 });
    group.settle(of(1));
    expect(group.core(4).status().commit).toBe(3);
    // 1 is gone, 2 comes back: of 2, 3 and 4, who knows of the change cannot win, and who can win did not know.
    group.tickAll(80, of(1));
    const [leader] = leaders(group).filter((id) => id !== 1);
    expect(leader).toBe(4);
  });

  it('that removes the leader lets it go once the others know', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.change(1, [{ type: 'remove', id: 1 }]);
    group.settle();
    expect(leaders(group)).toEqual([]);
    for (const id of [2, 3]) expect(group.core(id).status().group.configuration.voters).toEqual([2, 3]);
    group.tickAll(40);
    expect(leaders(group)).toHaveLength(1);
    expect(leaders(group)).not.toContain(1);
  });
});

describe('flow control', () => {
  it('bounds the messages on their way to a member, and goes on when they are lost', () => {
    const group = new RaftGroup({ ...three, limits: { inflightMessagesMax: 4, messageBytesMax: 40 } });
    group.elect(1);
    for (let at = 0; at < 20; at++) group.propose(1, `${at}`);
    group.collect();
    expect(group.messages.filter(({ to, type }) => to === 2 && type === 'append')).toHaveLength(4);
    group.messages = [];
    group.tickAll(10);
    expect(group.node(2).commands).toHaveLength(20);
  });

  it('does not wait for what was compacted on its way', () => {
    const group = new RaftGroup({ ...three, limits: { inflightMessagesMax: 2, messageBytesMax: 40 } });
    group.elect(1);
    for (let at = 0; at < 10; at++) group.propose(1, `${at}`);
    group.settle(of(3));
    group.core(1).compact(group.core(1).status().applied, 0, 0);
    group.tickAll(2);
    group.makeSnapshot(1);
    group.tickAll(5);
    expect(group.node(3).commands).toHaveLength(10);
  });

  it('refuses proposals that are too large, too many, or too new', () => {
    const limits = { proposalBytesMax: 100, uncommittedBytesMax: 200 };
    const group = new RaftGroup({ ...three, limits });
    expect(group.propose(1, 'a').refused).toBe('not_leader');
    group.elect(1);
    expect(group.propose(1, 'x'.repeat(101)).refused).toBe('too_large');
    expect(group.propose(1, 'x'.repeat(100)).refused).toBeUndefined();
    expect(group.propose(1, 'x'.repeat(100)).refused).toBe('overloaded');
    group.settle();
    expect(group.propose(1, 'x'.repeat(100)).refused).toBeUndefined();
    expect(group.core(1).propose(new Uint8Array(1), 1).refused).toBe('version');
    expect(group.core(1).proposeVersion(2).refused).toBe('version');
    group.tickAll(2);
    expect(group.core(1).proposeVersion(1).refused).toBeUndefined();
    group.settle();
    expect(group.core(1).propose(new Uint8Array(1), 1).refused).toBeUndefined();
  });
});

describe('an old message', () => {
  it('with fewer entries cuts nothing off', () => {
    const group = new RaftGroup(three);
    group.elect(1);
    group.propose(1, 'a');
    group.collect();
    const old = group.messages.find(({ to }) => to === 2)!;
    group.settle();
    group.propose(1, 'b');
    group.settle();
    group.deliver(old);
    expect(group.core(2).status().lastIndex).toBe(4);
  });

  it('commits only what it has shown to be shared', () => {
    const group = new RaftGroup(three);
    const entry = (index: number, term: number) =>
      ({ index, term, kind: 'command', version: 0, data: new Uint8Array(0) }) as const;
    const append = { type: 'append', from: 1, to: 2, prevIndex: 1, prevTerm: 1, commit: 1 } as const;
    group.core(2).step({ ...append, term: 2, entries: [2, 3, 4].map((index) => entry(index, 2)) });
    group.core(2).step({ ...append, from: 3, term: 3, entries: [entry(2, 2)], commit: 4 });
    expect(group.core(2).status()).toMatchObject({ commit: 2, lastIndex: 4 });
  });
});
