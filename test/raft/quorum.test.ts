import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.js';
import { emptyConfiguration, votersOnly } from '../../src/raft/configuration.js';
import { majorityIndex, majorityVote, quorumIndex, quorumVote } from '../../src/raft/quorum.js';
import { type DataDrivenCase, readDataDriven } from '../support/data-driven.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';

describe('majorities', () => {
  const indexes = [
    { name: 'nobody decides everything', reached: [], want: Number.POSITIVE_INFINITY },
    { name: 'one voter is its own majority', reached: [7], want: 7 },
    { name: 'two voters must agree', reached: [7, 3], want: 3 },
    { name: 'two of three', reached: [7, 3, 5], want: 5 },
    { name: 'three of four', reached: [9, 8, 2, 1], want: 2 },
    { name: 'three of five', reached: [0, 0, 4, 5, 6], want: 4 },
  ];
  it.each(indexes)('$name', ({ reached, want }) => {
    expect(majorityIndex(Array.from(reached.keys()), (id) => reached[id]!)).toBe(want);
  });

  it('a joint configuration decides when both halves do', () => {
    const joint: Configuration = { ...emptyConfiguration, voters: [1, 2, 3], outgoing: [3, 4] };
    const reached = new Map([[1, 9], [2, 8], [3, 7], [4, 2]]); // biome-ignore format: a table
    expect(quorumIndex(joint, (id) => reached.get(id) ?? 0)).toBe(2);
    const votes = new Map([[1, true], [2, true], [3, false]]); // biome-ignore format: a table
    expect(quorumVote(joint, (id) => votes.get(id))).toBe('lost');
  });

  it('agrees with counting, for any configuration', () => {
    const random = seededRandom(testSeed('majorities'));
    for (let round = 0; round < 400 * testRounds(); round++) {
      const some = () => Array.from({ length: random.below(6) }, () => random.between(1, 8));
      const configuration = { ...votersOnly(some()), outgoing: votersOnly(some()).voters };
      const reached = Array.from({ length: 9 }, () => random.below(6));
      const votes = Array.from({ length: 9 }, () => random.pick([true, false, undefined]));
      const halves = [configuration.voters, configuration.outgoing].filter((half) => half.length > 0);
      const holds = (test: (id: number) => boolean) =>
        halves.every((half) => half.filter(test).length * 2 > half.length);
      const index = quorumIndex(configuration, (id) => reached[id]!);
      if (halves.length > 0) {
        expect(holds((id) => reached[id]! >= index)).toBe(true);
        expect(holds((id) => reached[id]! >= index + 1)).toBe(false);
      }
      const canStillWin = holds((id) => votes[id] !== false);
      const want = holds((id) => votes[id] === true) ? 'won' : canStillWin ? 'pending' : 'lost';
      expect(quorumVote(configuration, (id) => votes[id])).toBe(want);
    }
  });
});

describeWith(
  'published tables of quorums',
  'vectors/etcd-raft/quorum',
  sharedPath('vectors/etcd-raft/quorum'),
  (directory) => {
    for (const file of readDataDriven(directory)) {
      it(file.name, () => {
        for (const test of file.cases) expect(answer(test), test.name).toBe(test.want.at(-1));
      });
    }
  },
);

function answer({ command, args }: DataDrivenCase): string {
  const ids = (name: string) => (args.get(name) ?? []).filter((id) => id !== 'zero').map(Number);
  const [voters, outgoing] = [ids('cfg'), ids('cfgj')];
  const configuration = { ...votersOnly(voters), outgoing: votersOnly(outgoing).voters };
  // Values are listed in the order in which the ids first appear.
  const order = [...new Set([...voters, ...outgoing])];
  const given = args.get(command === 'vote' ? 'votes' : 'idx') ?? [];
  expect(given).toHaveLength(order.length);
  const valueById = new Map(order.map((id, at) => [id, given[at]!]));
  if (command === 'vote') {
    const voteOf = (id: number) => ({ y: true, n: false })[valueById.get(id)!];
    const result = quorumVote(configuration, voteOf);
    if (!args.has('cfgj')) expect(majorityVote(voters, voteOf)).toBe(result);
    return { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' }[result];
  }
  const indexOf = (id: number) => (valueById.get(id) === '_' ? 0 : Number(valueById.get(id)));
  const index = quorumIndex(configuration, indexOf);
  if (!args.has('cfgj')) expect(majorityIndex(voters, indexOf)).toBe(index);
  return Number.isFinite(index) ? String(index) : '<empty majority quorum>∞';
}
