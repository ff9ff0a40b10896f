import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutatedImplementation } from './implementation.js';
import { plantedBugs } from './planted-bugs.js';
import { simulate } from './simulation.js';

/** The compiled product, which the tests of worker threads load, too. */
const compiled = fileURLToPath(new URL('../../dist', import.meta.url));
/** The rarest bug needs some hundred of them, most need ten. */
const seedsMax = 1000;
const patience = 600_000;

describe('a planted bug is found', () => {
  it.each(plantedBugs)(
    '$name',
    async ({ mutations, reusesIds = false }) => {
      const implementation = await mutatedImplementation(compiled, mutations);
      let found: string | undefined;
      for (let seed = 1; seed <= seedsMax && found === undefined; seed++) {
        found = simulate({ seed, nodes: 5, steps: 6000, implementation, reusesIds }).failure?.rule;
      }
      expect(found).toBeDefined();
    },
    patience,
  );

  it('only when there is one', async () => {
    const implementation = await mutatedImplementation(compiled, []);
    expect(simulate({ seed: 1, nodes: 5, steps: 6000, implementation }).failure?.message).toBeUndefined();
  });
});
