import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import {
  type ErrorContext,
  httpStatus,
  internalMessage,
  toConnectError,
  toLumeoError,
} from '../../src/api/error-map.js';
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

  it.each<{ code: ErrorCode; want: string | null }>([
    { code: 'not_found', want: null },
    { code: 'internal', want: null },
    { code: 'no_space', want: 'no_space' },
    { code: 'too_large', want: 'too_large' },
    { code: 'conflict', want: 'conflict' },
    { code: 'digest_mismatch', want: 'digest_mismatch' },
  ])('$code travels beside a status that does not say it', ({ code, want }) => {
    const { context } = contextWithLog();
    expect(toConnectError(new CairnError(code, ''), context).metadata.get('cairn-error')).toBe(want);
  });

  it('leaves errors of the transport as they are', () => {
    const { logged, context } = contextWithLog();
    const error = new ConnectError('too big', Code.ResourceExhausted);
    expect(toConnectError(error, context)).toBe(error);
    expect(logged).toEqual([]);
  });
});

describe('toLumeoError', () => {
  const now = 1_767_607_200_000;
  const timestamp = '2026-01-05T10:00:00Z';

  it.each<{ code: ErrorCode; number: number; name: string }>([
    { code: 'invalid_argument', number: 1001, name: 'INVALID_PARAMETER' },
    { code: 'already_exists', number: 1003, name: 'FILE_ALREADY_EXISTS' },
    { code: 'no_node', number: 2001, name: 'NO_AVAILABLE_NODE' },
    { code: 'unavailable', number: 3001, name: 'NETWORK_ERROR' },
    { code: 'timeout', number: 3002, name: 'TIMEOUT' },
    { code: 'conflict', number: 4002, name: 'RAFT_ERROR' },
    { code: 'no_space', number: 4003, name: 'STORAGE_ERROR' },
    { code: 'unauthenticated', number: 5001, name: 'AUTHENTICATION_FAILED' },
    { code: 'permission_denied', number: 5002, name: 'PERMISSION_DENIED' },
  ])('$code is $number $name, in its own words', ({ code, number, name }) => {
    const error = toLumeoError(new CairnError(code, 'why'), now);
    expect(error).toEqual({ code: number, message: 'why', error: name, details: { timestamp } });
  });

  it.each([
    { kind: 'file', number: 1002, name: 'FILE_NOT_FOUND', key: 'file_id' },
    { kind: 'upload', number: 1002, name: 'FILE_NOT_FOUND', key: 'upload_id' },
    { kind: 'chunk', number: 1004, name: 'CHUNK_NOT_FOUND', key: 'chunk_id' },
    { kind: 'node', number: 1005, name: 'NODE_NOT_FOUND', key: 'node_id' },
  ] as const)('no such $kind is $number', ({ kind, number, name, key }) => {
    const error = toLumeoError(new CairnError('not_found', 'x', { subject: { kind, id: 'y' } }), now);
    expect(error).toEqual({
      code: number,
      message: `${kind} not found`,
      error: name,
      details: { [key]: 'y', timestamp },
    });
  });

  it('names the parameter that is wrong', () => {
    const subject = { kind: 'parameter', id: 'page' } as const;
    const error = toLumeoError(new CairnError('invalid_argument', 'below 1', { subject }), now);
    expect(error).toMatchObject({ code: 1001, message: 'below 1', details: { parameter: 'page' } });
  });

  it('keeps the words of an unknown error off the wire', () => {
    const error = toLumeoError(new Error('secret'), now);
    expect(error).toEqual({ code: 4001, message: internalMessage, error: 'INTERNAL_ERROR', details: { timestamp } });
  });
});
