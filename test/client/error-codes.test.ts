import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import { codeOfStatus, toCairnError } from '../../src/client/error-codes.js';

const said = { 'grpc-status': 'any' };
const named = (code: string) => ({ ...said, 'cairn-error': code });

describe('toCairnError', () => {
  it.each([
    { name: 'what the server said', error: new ConnectError('', Code.NotFound, said), want: 'not_found' },
    { name: 'damage', error: new ConnectError('', Code.DataLoss, said), want: 'corrupt' },
    { name: 'the server is full', error: new ConnectError('', Code.ResourceExhausted, said), want: 'no_space' },
    { name: 'too much', error: new ConnectError('', Code.ResourceExhausted, named('too_large')), want: 'too_large' },
    { name: 'a newer word', error: new ConnectError('', Code.ResourceExhausted, named('too_odd')), want: 'no_space' },
    { name: 'aborted by the server', error: new ConnectError('', Code.Aborted, said), want: 'conflict' },
    { name: 'internal at the server', error: new ConnectError('', Code.Internal, said), want: 'internal' },
    { name: 'a stream that broke', error: new ConnectError('', Code.Canceled), want: 'unavailable' },
    { name: 'a connection that was reset', error: new ConnectError('', Code.Aborted), want: 'unavailable' },
    { name: 'no status at the end', error: new ConnectError('', Code.Internal), want: 'unavailable' },
    { name: 'nobody listening', error: new ConnectError('', Code.Unavailable), want: 'unavailable' },
    { name: 'a bug', error: new TypeError('undefined is no function'), want: 'internal' },
    { name: 'an error of ours', error: new CairnError('too_large', ''), want: 'too_large' },
  ])('$name: $want', ({ error, want }) => {
    expect(toCairnError(error).code).toBe(want);
  });

  it('finds an error of ours that passed through the transport', () => {
    const own = new CairnError('failed_precondition', 'the file is gone');
    const passed = new ConnectError('', Code.Internal);
    passed.cause = own;
    expect(toCairnError(passed)).toBe(own);
  });

  it('is canceled when the signal was raised, whatever the transport made of it', () => {
    expect(toCairnError(new ConnectError('', Code.Internal), AbortSignal.abort()).code).toBe('canceled');
    expect(toCairnError(new ConnectError('', Code.Canceled), new AbortController().signal).code).toBe('unavailable');
  });

  it('knows every status number', () => {
    for (let status = 1; status <= 16; status++) expect(codeOfStatus(status)).toBeTruthy();
    expect(codeOfStatus(99)).toBe('internal');
  });
});
