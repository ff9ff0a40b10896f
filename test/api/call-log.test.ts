import { describe, expect, it } from 'vitest';
import { type Call, callIds, callLogger, observeAll } from '../../src/api/call-log.js';

const call: Call = {
  id: '1',
  peer: '127.0.0.1:5',
  account: 'ann',
  protocol: 'http',
  method: 'GET /blobs/{hash}',
  code: 'ok',
  bytesIn: 0,
  bytesOut: 7,
  milliseconds: 1.5,
};

describe('callLogger', () => {
  it.each([true, false])('debug level %s', (enabled) => {
    const logged: object[] = [];
    callLogger({ isLevelEnabled: () => enabled, debug: (fields) => logged.push(fields) })(call);
    expect(logged).toEqual(enabled ? [call] : []);
  });
});

it('observeAll tells everybody', () => {
  const seen: string[] = [];
  observeAll([({ id }) => seen.push(`a${id}`), ({ id }) => seen.push(`b${id}`)])(call);
  expect(seen).toEqual(['a1', 'b1']);
});

it('callIds never repeats', () => {
  const next = callIds();
  expect(new Set(Array.from({ length: 1000 }, next)).size).toBe(1000);
});
