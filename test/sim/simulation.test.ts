import { describe, expect, it } from 'vitest';
import { testRounds } from '../support/random.js';
import { simulate } from './simulation.js';

const [nodes, steps] = [5, 6000];
const seeds = 1000;
const parts = 10;
/** Simulated time takes what it takes; only a hang is a failure. */
const patience = 600_000;

describe(`${seeds} simulated groups`, () => {
  const totals: Record<string, number> = {};

  it.each(Array.from({ length: parts * testRounds() }, (_, part) => part))(
    'keep their promises, part %i',
    (part) => {
      const first = 1 + (part * seeds) / parts;
      for (let seed = first; seed < first + seeds / parts; seed++) {
        const { failure, counts } = simulate({ seed, nodes, steps });
        expect(failure?.message, `npm run sim -- --seed ${seed} --lines 100`).toBeUndefined();
        for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
      }
    },
    patience,
  );

  it('have lived through a lot', () => {
    for (const [name, count] of Object.entries(totals)) expect(count, name).toBeGreaterThan(seeds / 4);
  });
});

describe('a simulated group', () => {
  it('lives the same life twice', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [once, again] = [simulate({ seed, nodes, steps }), simulate({ seed, nodes, steps })];
      expect(again).toEqual(once);
    }
  });

  it('lives another life with another seed', () => {
    const hashes = Array.from({ length: 20 }, (_, seed) => simulate({ seed, nodes, steps: 500 }).hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it.each([1, 2, 3, 7])('may have %i nodes', (count) => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(simulate({ seed, nodes: count, steps: 3000 }).failure?.message, `seed ${seed}`).toBeUndefined();
    }
  });
});
