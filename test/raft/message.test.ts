import { expect, it } from 'vitest';
import { messageBytes } from '../../src/raft/message.js';

it('a message is as large as its entries, and a little more', () => {
  const envelope = { from: 1, to: 2, term: 3 };
  const small = messageBytes({ ...envelope, type: 'timeout-now' });
  const entry = { index: 1, term: 1, kind: 'command', version: 0, data: new Uint8Array(1000) } as const;
  const append = { ...envelope, type: 'append', prevIndex: 0, prevTerm: 0, commit: 0 } as const;
  const large = messageBytes({ ...append, entries: [entry, entry] });
  expect(small).toBeLessThan(200);
  expect(large).toBeGreaterThan(2000);
  expect(large).toBeLessThan(2400);
});
