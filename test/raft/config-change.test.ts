import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import {
  applyConfigChange,
  type ChangedConfiguration,
  type ConfigRefusal,
  decodeConfigChange,
  encodeConfigChange,
  enterJoint,
  leaveJoint,
  type MemberChange,
  simpleChange,
} from '../../src/raft/config-change.js';
import {
  type Configuration,
  emptyConfiguration,
  isJoint,
  membersOf,
  votersOnly,
} from '../../src/raft/configuration.js';
import { followConfiguration, type Progress } from '../../src/raft/progress.js';
import { type DataDrivenFile, readDataDriven } from '../support/data-driven.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';

const typeOf = { v: 'voter', l: 'learner', r: 'remove', u: 'update' } as const;

function changes(text: string): MemberChange[] {
  return [...text.matchAll(/([vlru])(\d+)/g)].map(([, type, id]) => ({
    type: typeOf[type as keyof typeof typeOf],
    id: Number(id),
  }));
}

describe('a change of members', () => {
  const cases: { name: string; change: string; want: Partial<Configuration> }[] = [
    { name: 'adds a voter', change: 'v4', want: { voters: [1, 2, 3, 4] } },
    { name: 'adds a learner', change: 'l4', want: { voters: [1, 2, 3], learners: [4] } },
    { name: 'removes a voter', change: 'r3', want: { voters: [1, 2] } },
    { name: 'of several voters is joint', change: 'v4 r1', want: { voters: [2, 3, 4], outgoing: [1, 2, 3] } },
    { name: 'lets a demoted voter vote to the end', change: 'v4 l1', want: { voters: [2, 3, 4], outgoing: [1, 2, 3], learnersNext: [1] } }, // biome-ignore format: a table
  ];
  it.each(cases)('$name', ({ change, want }) => {
    const changed = applyConfigChange(votersOnly([1, 2, 3]), { changes: changes(change), context: '' });
    expect(changed).toEqual({ configuration: { ...emptyConfiguration, ...want } });
  });

  it('without changes ends a joint configuration, and only that', () => {
    const joint = enterJoint(votersOnly([1, 2, 3]), changes('v4 l1')).configuration!;
    expect(applyConfigChange(joint, { changes: [], context: '' }).configuration).toEqual({
      ...emptyConfiguration,
      voters: [2, 3, 4],
      learners: [1],
    });
    expect(applyConfigChange(votersOnly([1]), { changes: [], context: '' }).refused).toBe('not_joint');
  });

  it('keeps its rules for any change', () => {
    const random = seededRandom(testSeed('changes of members'));
    for (let round = 0; round < 400 * testRounds(); round++) {
      let configuration = votersOnly([1, 2, 3]);
      for (let step = 0; step < 8; step++) {
        const count = isJoint(configuration) ? 0 : random.between(1, 4);
        const drawn = Array.from({ length: count }, () => `${random.pick(['v', 'l', 'r'])}${random.between(1, 6)}`);
        const before = new Set(configuration.voters);
        const changed = applyConfigChange(configuration, { changes: changes(drawn.join(' ')), context: '' });
        if (changed.refused !== undefined) continue;
        configuration = changed.configuration;
        const { voters, outgoing, learners, learnersNext } = configuration;
        expect(voters.length).toBeGreaterThan(0);
        expect(learners.filter((id) => voters.includes(id) || outgoing.includes(id))).toEqual([]);
        expect(learnersNext.filter((id) => !outgoing.includes(id) || voters.includes(id))).toEqual([]);
        if (isJoint(configuration)) expect(outgoing).toEqual([...before]);
        else if (count > 0) expect(difference(before, new Set(voters))).toBeLessThanOrEqual(1);
        const all = [...voters, ...outgoing, ...learners, ...learnersNext];
        expect(membersOf(configuration)).toEqual([...new Set(all)].sort((a, b) => a - b));
      }
    }
  });

  it('is read back from its bytes', () => {
    const change = { changes: changes('v4 l1 r2 u3'), context: 'an address' };
    expect(decodeConfigChange(encodeConfigChange(change))).toEqual(change);
  });

  it.each([
    '',
    '{}',
    '[]',
    '{"changes":[["king",1]],"context":""}',
    '{"changes":[["voter",1.5]],"context":""}',
    '{"changes":[]}',
  ])('is not made of %j', (text) => {
    let code: string | undefined;
    try {
      decodeConfigChange(new TextEncoder().encode(text));
    } catch (error) {
      code = errorCode(error);
    }
    expect(code).toBe('corrupt');
  });
});

function difference(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  return [...a].filter((id) => !b.has(id)).length + [...b].filter((id) => !a.has(id)).length;
}

describeWith(
  'published tables of changes',
  'vectors/etcd-raft/confchange',
  sharedPath('vectors/etcd-raft/confchange'),
  (directory) => {
    for (const file of readDataDriven(directory)) it(file.name, () => replay(file));
  },
);

/** The words of the tables for our refusals. */
const words: Record<ConfigRefusal, Record<string, string>> = {
  already_joint: {
    simple: "can't apply simple config change in joint config",
    'enter-joint': 'config is already joint',
  },
  not_joint: { 'leave-joint': "can't leave a non-joint config" },
  no_voters: { simple: 'removed all voters', 'enter-joint': 'removed all voters' },
  no_voters_before: { 'enter-joint': "can't make a zero-voter config joint" },
  needs_joint: { simple: 'more than one voter changed without entering joint config' },
};

function replay({ cases }: DataDrivenFile): void {
  let configuration = emptyConfiguration;
  const progress = new Map<number, Progress>();
  let automatic = false;
  cases.forEach(({ name, command, args, input, want }, lastIndex) => {
    const wanted = changes(input.join(' '));
    const commands: Record<string, () => ChangedConfiguration> = {
      simple: () => simpleChange(configuration, wanted),
      'enter-joint': () => enterJoint(configuration, wanted),
      'leave-joint': () => leaveJoint(configuration),
    };
    const changed = commands[command]!();
    if (changed.refused !== undefined) {
      expect(words[changed.refused][command], name).toBe(want.join('\n'));
      return;
    }
    configuration = changed.configuration;
    // Ours are always left automatically; the tables have it as an option.
    automatic = args.get('autoleave')?.[0] === 'true';
    followConfiguration(progress, configuration, lastIndex);
    expect(show(configuration, progress, automatic), name).toEqual(want);
  });
}

function show(configuration: Configuration, progress: ReadonlyMap<number, Progress>, automatic: boolean): string[] {
  const { voters, outgoing, learners, learnersNext } = configuration;
  const list = (ids: readonly number[]) => `(${ids.join(' ')})`;
  let first = `voters=${list(voters)}`;
  if (outgoing.length > 0) first += `&&${list(outgoing)}`;
  if (learners.length > 0) first += ` learners=${list(learners)}`;
  if (learnersNext.length > 0) first += ` learners_next=${list(learnersNext)}`;
  if (automatic) first += ' autoleave';
  const members = [...progress].sort(([a], [b]) => a - b);
  return [
    first,
    ...members.map(([id, { match, next }]) => {
      return `${id}: StateProbe match=${match} next=${next}${learners.includes(id) ? ' learner' : ''}`;
    }),
  ];
}
