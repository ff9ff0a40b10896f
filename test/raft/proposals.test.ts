import { describe, expect, it } from 'vitest';
import type { ProposalOutcome } from '../../src/raft/driver-parts.js';
import { Proposals } from '../../src/raft/proposals.js';

const entry = (index: number, term: number) =>
  ({ index, term, kind: 'command', version: 0, data: new Uint8Array(0) }) as const;

function proposals() {
  const outcomes = new Map<string, ProposalOutcome<string>>();
  const all = new Proposals<string>();
  const add = (name: string, index: number, term: number, until: number) =>
    all.add(index, term, until, (outcome) => outcomes.set(name, outcome));
  return { all, add, outcomes };
}

describe('proposals', () => {
  it('end with the result of their entry', () => {
    const { all, add, outcomes } = proposals();
    add('a', 5, 2, 100);
    all.applied([entry(4, 2), entry(5, 2)], ['other', 'mine']);
    expect(outcomes.get('a')).toEqual({ kind: 'applied', index: 5, result: 'mine' });
    expect(all.size).toBe(0);
  });

  it("are superseded when another leader's entry is applied in their place, and not before", () => {
    const { all, add, outcomes } = proposals();
    add('old', 5, 2, 100);
    // The old entry left this node's log; another node may still have it, lead, and commit it.
    add('new', 5, 4, 100);
    expect(outcomes.size).toBe(0);
    all.applied([entry(5, 2)], ['of the old one']);
    expect(outcomes.get('old')).toEqual({ kind: 'applied', index: 5, result: 'of the old one' });
    expect(outcomes.get('new')).toEqual({ kind: 'superseded' });
  });

  it('are unknown after their time, each by itself', () => {
    const { all, add, outcomes } = proposals();
    add('a', 5, 2, 10);
    add('b', 5, 3, 20);
    all.tick(10);
    expect([...outcomes]).toEqual([['a', { kind: 'unknown' }]]);
    all.applied([entry(5, 3)], ['late']);
    expect(outcomes.get('b')).toMatchObject({ kind: 'applied' });
  });

  it('are unknown when a snapshot takes their place, and when everything stops', () => {
    const { all, add, outcomes } = proposals();
    add('a', 5, 2, 10);
    add('b', 6, 2, 10);
    all.skipped(5);
    expect([...outcomes.keys()]).toEqual(['a']);
    all.stop();
    expect(outcomes.get('b')).toEqual({ kind: 'unknown' });
    expect(all.size).toBe(0);
  });
});
