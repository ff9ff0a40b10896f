import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';
import {
  type HistoryOperation,
  isLinearizable,
  type RegisterOperation,
  type RegisterValue,
} from './linearizability.js';

const read = (value: RegisterValue): RegisterOperation => ({ kind: 'read', value });
const write = (value: RegisterValue): RegisterOperation => ({ kind: 'write', value });
const cas = (from: RegisterValue, to: RegisterValue, swapped?: boolean): RegisterOperation => {
  return { kind: 'cas', from, to, swapped };
};
const during = (called: number, returned: number | undefined, operation: RegisterOperation): HistoryOperation => {
  return { operation, called, returned };
};

describe('a history of one register', () => {
  const cases: { name: string; history: HistoryOperation[]; want: boolean }[] = [
    { name: 'of nothing', history: [], want: true },
    { name: 'reads what was written', history: [during(1, 2, write(1)), during(3, 4, read(1))], want: true },
    { name: 'reads the past', history: [during(1, 2, write(1)), during(3, 4, read(undefined))], want: false },
    { name: 'reads either during a write', history: [during(1, 9, write(1)), during(2, 3, read(undefined)), during(4, 5, read(1))], want: true },
    { name: 'goes back during a write', history: [during(1, 9, write(1)), during(2, 3, read(1)), during(4, 5, read(undefined))], want: false },
    { name: 'sees an unknown write late', history: [during(1, undefined, write(1)), during(2, 3, read(undefined)), during(8, 9, read(1))], want: true },
    { name: 'sees an unknown write never', history: [during(1, undefined, write(1)), during(8, 9, read(undefined))], want: true },
    { name: 'sees an unknown write early', history: [during(1, 2, read(1)), during(3, undefined, write(1))], want: false },
    { name: 'swaps', history: [during(1, 2, write(1)), during(3, 4, cas(1, 2, true)), during(5, 6, read(2))], want: true },
    { name: 'swaps twice what was there once', history: [during(1, 2, write(1)), during(3, 9, cas(1, 2, true)), during(3, 9, cas(1, 3, true))], want: false },
    { name: 'does not swap what was there', history: [during(1, 2, write(1)), during(3, 4, cas(1, 2, false))], want: false },
    { name: 'swaps, perhaps', history: [during(1, 2, write(1)), during(3, undefined, cas(1, 2)), during(5, 6, read(2))], want: true },
  ]; // biome-ignore format: a table
  it.each(cases)('$name: $want', ({ history, want }) => {
    expect(isLinearizable(history)).toBe(want);
  });

  it('is judged as by trying every order', () => {
    const random = seededRandom(testSeed('linearizability'));
    const seen = { true: 0, false: 0 };
    for (let round = 0; round < 1000 * testRounds(); round++) {
      const history = Array.from({ length: random.between(1, 6) }, () => {
        const called = random.below(12);
        const value = () => random.pick([undefined, 1, 2]);
        const returned = random.chance(0.8) ? called + random.below(6) : undefined;
        const known = returned === undefined ? undefined : random.chance(0.5);
        return during(called, returned, random.pick([read(value()), write(value()), cas(value(), value(), known)]));
      });
      const want = someOrderExplains(history, undefined);
      seen[`${want}`]++;
      expect(isLinearizable(history), JSON.stringify(history)).toBe(want);
    }
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(50);
  });
});

function someOrderExplains(rest: readonly HistoryOperation[], value: RegisterValue): boolean {
  if (rest.every(({ returned }) => returned === undefined)) return true;
  const firstReturn = Math.min(...rest.map(({ returned }) => returned ?? Number.POSITIVE_INFINITY));
  return rest.some(({ operation, called, returned }, at) => {
    if (called > firstReturn) return false;
    const others = rest.filter((_, other) => other !== at);
    if (operation.kind === 'write') return someOrderExplains(others, operation.value);
    if (operation.kind === 'read') {
      return (returned === undefined || operation.value === value) && someOrderExplains(others, value);
    }
    const swaps = operation.from === value;
    if (operation.swapped !== undefined && operation.swapped !== swaps) return false;
    return someOrderExplains(others, swaps ? operation.to : value);
  });
}

describeWith('histories with known verdicts', 'vectors/jepsen', sharedPath('vectors/jepsen'), (directory) => {
  const verdicts = JSON.parse(readFileSync(`${directory}/verdicts.json`, 'utf8')) as Record<string, string>;
  const logs = readdirSync(directory).filter((name) => name.endsWith('.log'));

  it('are all there', () => {
    expect(logs).toHaveLength(52);
    expect(new Set(Object.values(verdicts))).toEqual(new Set(['linearizable', 'not-linearizable']));
  });

  it.each(logs)('%s', (name) => {
    const history = parseLog(readFileSync(`${directory}/${name}`, 'utf8'));
    expect(isLinearizable(history)).toBe(verdicts[name] === 'linearizable');
  });
});

/** Lines of `process :invoke|:ok|:fail|:info :read|:write|:cas argument`. */
function parseLog(text: string): HistoryOperation[] {
  const open = new Map<string, { called: number; name: string; argument: string }>();
  const history: HistoryOperation[] = [];
  text.split('\n').forEach((line, at) => {
    const match = /- (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$/.exec(line);
    if (match === null) return;
    const [, process, event, name, argument] = match as unknown as [string, string, string, string, string];
    if (event === 'invoke') {
      open.set(process, { called: at, name, argument });
      return;
    }
    const call = open.get(process)!;
    open.delete(process);
    // A read that failed says nothing. A compare that failed says that the value was another.
    if (event === 'fail' && name === 'read') return;
    const returned = event === 'info' ? undefined : at;
    const swapped = { ok: true, fail: false }[event];
    history.push(
      during(call.called, returned, parseOperation(name, event === 'ok' ? argument : call.argument, swapped)),
    );
  });
  for (const { called, name, argument } of open.values()) {
    history.push(during(called, undefined, parseOperation(name, argument, undefined)));
  }
  return history;
}

function parseOperation(name: string, argument: string, swapped: boolean | undefined): RegisterOperation {
  const numbers = argument.match(/\d+/g)?.map(Number) ?? [];
  if (name === 'read') return read(numbers[0]);
  return name === 'write' ? write(numbers[0]) : cas(numbers[0], numbers[1], swapped);
}
