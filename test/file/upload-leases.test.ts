import { expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import { UploadLeases } from '../../src/file/upload-leases.js';
import { ManualClock } from '../support/manual-clock.js';

it('cuts short who was told to stop before it said how', async () => {
  const leases = new UploadLeases(new ManualClock());
  const lease = await leases.take('u');
  const interrupted = leases.interrupt('u', new CairnError('canceled', 'given up'));
  const reasons: unknown[] = [];
  lease.onInterrupt((reason) => {
    reasons.push(reason);
    lease.release();
  });
  await interrupted;
  expect(reasons).toEqual([expect.objectContaining({ code: 'canceled' })]);
  expect(leases.isHeld('u')).toBe(false);
});
