import { expect, it } from 'vitest';
import type { Catalog } from '../../src/cas/catalog.js';
import type { Compactor } from '../../src/cas/compactor.js';
import { Maintenance } from '../../src/cas/maintenance.js';
import { ManualClock } from '../support/manual-clock.js';

it('begins no round when it was stopped, however far the index lags', async () => {
  let rounds = 0;
  const catalog: Pick<Catalog, 'onLag' | 'keepUp' | 'shouldSave'> = {
    onLag: () => {},
    keepUp: async () => void rounds++,
    shouldSave: false,
  };
  const compactor: Pick<Compactor, 'compactOne' | 'stop'> = { compactOne: async () => undefined, stop: () => {} };
  const clock = new ManualClock();
  const maintenance = new Maintenance({
    catalog: catalog as Catalog,
    compactor: compactor as Compactor,
    save: async () => true,
    clock,
    intervalMilliseconds: 1000,
    report: () => {},
  });
  catalog.onLag();
  expect(rounds).toBe(1);
  while (clock.waiting === 0) await Promise.resolve();
  await maintenance.stop();
  catalog.onLag();
  clock.advance(10_000);
  expect(rounds).toBe(1);
  expect(clock.waiting).toBe(0);
});
