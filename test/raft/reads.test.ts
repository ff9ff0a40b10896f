import { describe, expect, it } from 'vitest';
import { Reads } from '../../src/raft/reads.js';

function reads() {
  const outcomes: string[] = [];
  const asked: number[] = [];
  const all = new Reads(10, 100);
  const add = (name: string, until = 50) => all.add(until, (outcome) => outcomes.push(`${name} ${outcome}`));
  const ask = (now: number, isHeard = true) => all.ask(now, (context) => asked.push(context) > 0 && isHeard);
  return { all, add, ask, asked, outcomes };
}

describe('reads', () => {
  it('share a question, and wait until what it says is applied', () => {
    const { all, add, ask, asked, outcomes } = reads();
    add('a');
    add('b');
    ask(0);
    expect(asked).toEqual([100]);
    all.answered(1, 100, 7);
    all.applied(6);
    expect(outcomes).toEqual([]);
    all.applied(7);
    expect(outcomes).toEqual(['a ready', 'b ready']);
  });

  it('that come after a question was asked wait for the next', () => {
    const { all, add, ask, asked, outcomes } = reads();
    add('a');
    ask(0);
    add('b');
    ask(0);
    expect(asked).toEqual([100]);
    all.answered(1, 100, 7);
    all.applied(7);
    ask(1);
    expect(asked).toEqual([100, 101]);
    expect(outcomes).toEqual(['a ready']);
  });

  it('are asked for again under a new number, and the answer to the old one is ignored', () => {
    const { all, add, ask, asked, outcomes } = reads();
    add('a');
    ask(0);
    all.tick(10);
    ask(10);
    expect(asked).toEqual([100, 101]);
    all.answered(11, 100, 3);
    all.applied(3);
    expect(outcomes).toEqual([]);
    all.answered(12, 101, 5);
    all.applied(5);
    expect(outcomes).toEqual(['a ready']);
  });

  it('are not asked for again in the same tick after a refusal', () => {
    const { all, add, ask, asked } = reads();
    add('a');
    ask(0, false);
    ask(0);
    expect(asked).toEqual([100]);
    ask(1);
    all.answered(1, 101, undefined);
    ask(1);
    ask(2);
    expect(asked).toEqual([100, 101, 102]);
  });

  it('end when their time is over or the node stops', () => {
    const { all, add, ask, outcomes } = reads();
    add('a', 5);
    ask(0, false);
    all.tick(5);
    add('b');
    all.stop();
    expect(outcomes).toEqual(['a unavailable', 'b stopped']);
    expect(all.size).toBe(0);
  });
});
