import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { type ErrorContext, httpStatus, internalMessage, toConnectError } from '../../src/api/error-map.js';
import { CairnError, type ErrorCode } from '../../src/base/errors.js';

function contextWithLog(outOfRange: ErrorContext['outOfRange'] = Code.OutOfRange) {
  const logged: object[] = [];
  const logger = { error: (fields: object) => void logged.push(fields), warn: () => {} };
  return { logged, context: { logger, method: 'a.B/C', callId: 'x1', outOfRange } };
}

describe('toConnectError', () => {
  it.each<{ code: ErrorCode; connect: Code; http: number }>([
    { code: 'invalid_argument', connect: Code.InvalidArgument, http: 400 },
    { code: 'digest_mismatch', connect: Code.InvalidArgument, http: 400 },
    { code: 'not_found', connect: Code.NotFound, http: 404 },
    { code: 'out_of_range', connect: Code.OutOfRange, http: 416 },
    { code: 'conflict', connect: Code.Aborted, http: 409 },
    { code: 'no_space', connect: Code.ResourceExhausted, http: 507 },
    { code: 'too_large', connect: Code.ResourceExhausted, http: 413 },
    { code: 'overloaded', connect: Code.ResourceExhausted, http: 429 },
    { code: 'timeout', connect: Code.DeadlineExceeded, http: 504 },
  ])('$code keeps its message, and is not logged', ({ code, connect, http }) => {
    const { logged, context } = contextWithLog();
    const error = toConnectError(new CairnError(code, 'why'), context);
    expect([error.code, error.rawMessage]).toEqual([connect, 'why']);
    expect(httpStatus(code)).toBe(http);
    expect(logged).toEqual([]);
  });

  it.each<{ code: ErrorCode; connect: Code }>([
    { code: 'corrupt', connect: Code.DataLoss },
    { code: 'storage', connect: Code.Internal },
  ])('$code is logged with its cause', ({ code, connect }) => {
    const { logged, context } = contextWithLog();
    const fault = new CairnError(code, 'disk', { cause: new Error('EIO') });
    expect(toConnectError(fault, context).code).toBe(connect);
    expect(logged).toMatchObject([{ err: fault, code, method: 'a.B/C', call: 'x1' }]);
  });

  it.each([new Error('secret'), 'secret', new CairnError('internal', 'secret')])(
    'keeps the words of an unknown error off the wire: %s',
    (unknown) => {
      const { logged, context } = contextWithLog();
      const error = toConnectError(unknown, context);
      expect([error.code, error.rawMessage]).toEqual([Code.Internal, internalMessage]);
      expect(error.cause).toBeUndefined();
      expect(logged).toMatchObject([{ err: unknown }]);
    },
  );

  it('reports a range outside a blob as the service wants it', () => {
    const { context } = contextWithLog(Code.InvalidArgument);
    expect(toConnectError(new CairnError('out_of_range', ''), context).code).toBe(Code.InvalidArgument);
  });

  it('leaves errors of the transport as they are', () => {
    const { logged, context } = contextWithLog();
    const error = new ConnectError('too big', Code.ResourceExhausted);
    expect(toConnectError(error, context)).toBe(error);
    expect(logged).toEqual([]);
  });
});
