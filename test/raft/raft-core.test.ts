import { describe, expect, it } from 'vitest';
import { RaftGroup } from '../support/raft-group.js';

describe('a group of three', () => {
  it('elects, commits and tells the others', () => {
    const group = new RaftGroup({ voters: [1, 2, 3] });
    group.elect(1);
    expect(group.take()).toEqual([
      '1>2 t2 pre-vote? with 1@1',
      '1>3 t2 pre-vote? with 1@1',
      '2>1 t2 pre-vote yes',
      '3>1 t2 pre-vote yes',
      '1>2 t2 vote? with 1@1',
      '1>3 t2 vote? with 1@1',
      '2>1 t2 vote yes',
      '3>1 t2 vote yes',
      '1>2 t2 append after 1@1: 2@2 noop; commit 1',
      '1>3 t2 append after 1@1: 2@2 noop; commit 1',
      '2>1 t2 has 2',
      '3>1 t2 has 2',
      '1>2 t2 append after 2@2: nothing; commit 2',
      '1>3 t2 append after 2@2: nothing; commit 2',
      '2>1 t2 has 2',
      '3>1 t2 has 2',
    ]);
    group.propose(1, 'a');
    group.propose(1, 'b');
    group.settle();
    expect(group.take()).toEqual([
      '1>2 t2 append after 2@2: 3@2 "a" 4@2 "b"; commit 2',
      '1>3 t2 append after 2@2: 3@2 "a" 4@2 "b"; commit 2',
      '2>1 t2 has 4',
      '3>1 t2 has 4',
      '1>2 t2 append after 4@2: nothing; commit 4',
      '1>3 t2 append after 4@2: nothing; commit 4',
      '2>1 t2 has 4',
      '3>1 t2 has 4',
    ]);
    for (const id of [1, 2, 3]) expect(group.node(id).commands).toEqual(['a', 'b']);
  });

  it('goes on when the leader is gone, and the leader comes back as a follower', () => {
    const group = new RaftGroup({ voters: [1, 2, 3] });
    group.elect(1);
    group.propose(1, 'a');
    group.settle();
    const without1 = ({ from, to }: { from: number; to: number }) => from === 1 || to === 1;
    group.propose(1, 'lost');
    group.tickAll(30, without1);
    const leader = [2, 3].find((id) => group.core(id).status().role === 'leader')!;
    group.propose(leader, 'b');
    group.tickAll(5, without1);
    expect(group.core(1).status().role).toBe('candidate');
    group.tickAll(5);
    expect(group.core(1).status()).toMatchObject({ role: 'follower', leader });
    for (const id of [1, 2, 3]) expect(group.node(id).commands).toEqual(['a', 'b']);
  });

  it('votes again soon when votes were split, without another election timeout', () => {
    const group = new RaftGroup({ voters: [1, 2, 3] });
    const without2 = ({ from, to }: { from: number; to: number }) => from === 2 || to === 2;
    for (const to of [1, 3]) group.core(to).step({ type: 'timeout-now', from: 2, to, term: 1 });
    group.settle(without2);
    for (const id of [1, 3]) expect(group.core(id).status()).toMatchObject({ role: 'candidate', term: 2 });
    group.tickAll(9, without2);
    expect([1, 3].filter((id) => group.core(id).status().role === 'leader')).toHaveLength(1);
  });

  it('asks for no votes before others have let go of the leader', () => {
    const group = new RaftGroup({ voters: [10, 20, 30] });
    group.elect(30);
    const without30 = ({ from, to }: { from: number; to: number }) => from === 30 || to === 30;
    // The clock of the one is a moment ahead; by chance it waits no longer than it must.
    for (let at = 0; at < 10; at++) group.tick(10);
    for (let at = 0; at < 9; at++) group.tick(20);
    group.settle(without30);
    expect(group.core(10).status()).toMatchObject({ role: 'follower', leader: 30 });
    group.tick(20);
    group.tick(10);
    group.settle(without30);
    expect(group.core(10).status().role).toBe('leader');
  });

  it('takes in nobody who does not understand its entries, and raises no version while somebody comes', () => {
    const group = new RaftGroup({ voters: [1, 2, 3] });
    const comes = [{ type: 'learner', id: 4 }] as const;
    group.elect(1);
    group.tickAll(2);
    expect(group.core(1).proposeVersion(1).refused).toBeUndefined();
    expect(group.change(1, comes, 0).refused).toBe('config_pending');
    group.settle();
    expect(group.change(1, comes, 0).refused).toBe('version');
    expect(group.change(1, comes, 1).refused).toBeUndefined();
    expect(group.core(1).proposeVersion(1).refused).toBe('config_pending');
    group.settle();
    // The newcomer has not said yet what it understands.
    expect(group.core(1).proposeVersion(1).refused).toBe('version');
  });

  it('brings up a new member by a snapshot, as a learner, then as a voter', () => {
    const group = new RaftGroup({ voters: [1, 2, 3] });
    group.elect(1);
    group.propose(1, 'a');
    group.settle();
    group.join(4);
    expect(group.change(1, [{ type: 'learner', id: 4 }]).refused).toBeUndefined();
    group.tickAll(3);
    expect(group.node(1).snapshotsWanted).toBeGreaterThan(0);
    group.makeSnapshot(1);
    group.propose(1, 'b');
    group.tickAll(3);
    expect(group.node(4).commands).toEqual(['a', 'b']);
    group.change(1, [{ type: 'voter', id: 4 }, { type: 'remove', id: 1 }]); // biome-ignore format: a table
    group.tickAll(40);
    expect(group.core(4).status().group.configuration).toEqual({
      voters: [2, 3, 4],
      outgoing: [],
      learners: [],
      learnersNext: [],
    });
    expect(group.core(1).status().role).not.toBe('leader');
    expect([2, 3, 4].filter((id) => group.core(id).status().role === 'leader')).toHaveLength(1);
  });
});

it('a group of one elects itself and commits what its disk has acknowledged', () => {
  const group = new RaftGroup({ voters: [1] });
  group.elect(1);
  group.propose(1, 'a');
  group.core(1).readIndex(7);
  group.settle();
  expect(group.take()).toEqual([]);
  expect(group.node(1).commands).toEqual(['a']);
  expect(group.node(1).reads).toEqual([{ context: 7, index: 2 }]);
});
