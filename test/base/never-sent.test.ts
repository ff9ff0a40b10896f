import { expect, it } from 'vitest';
import { wasNeverSent } from '../../src/base/never-sent.js';

const coded = (code: string) => Object.assign(new Error(code), { code });

it.each([
  ['a refused connection', coded('ECONNREFUSED'), true],
  ['an unknown name', coded('ENOTFOUND'), true],
  ['a refused connection, wrapped', new Error('a', { cause: new Error('b', { cause: coded('ECONNREFUSED') }) }), true],
  ['a connection that broke', coded('ECONNRESET'), false],
  ['anything else', new Error('x'), false],
  ['no error', 'ECONNREFUSED', false],
])('%s', (_name, error, want) => {
  expect(wasNeverSent(error)).toBe(want);
});
