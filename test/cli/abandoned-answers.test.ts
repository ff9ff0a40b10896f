import { EventEmitter } from 'node:events';
import type { Piscina } from 'piscina';
import { expect, it } from 'vitest';
import { ignoreAbandonedAnswers } from '../../src/cli/abandoned-answers.js';

it('lets answers pass that nobody waits for, and no other error', () => {
  const pool = new EventEmitter();
  ignoreAbandonedAnswers(pool as unknown as Piscina);
  pool.emit('error', new Error('Unexpected message from Worker: { taskId: 21 }'));
  expect(() => pool.emit('error', new Error('out of memory'))).toThrow('out of memory');
});
