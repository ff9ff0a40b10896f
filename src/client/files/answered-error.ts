// Errors as the file API answers them, turned back into ours: by the status, and where that stands for several, by the number.

import type { IncomingMessage } from 'node:http';
import { CairnError, type ErrorCode, type ErrorSubject } from '../../base/errors.js';
import { bytesOf } from './read-body.js';

export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly details?: Readonly<Record<string, string>>;
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  405: 'unimplemented',
  409: 'conflict',
  412: 'failed_precondition',
  413: 'too_large',
  416: 'out_of_range',
  429: 'overloaded',
  499: 'canceled',
  500: 'internal',
  501: 'unimplemented',
  503: 'unavailable',
  504: 'timeout',
  507: 'no_space',
};

/** What the number says better than the status. */
const codesByNumber: Readonly<Record<string, ErrorCode>> = {
  '409 1003': 'already_exists',
  '500 4003': 'storage',
  '503 2001': 'no_node',
};

/** By number alone, where no status says more: the most common of those that share it. */
const codesOfItems: Readonly<Record<number, ErrorCode>> = {
  1001: 'invalid_argument',
  1002: 'not_found',
  1003: 'already_exists',
  1004: 'not_found',
  1005: 'not_found',
  2001: 'no_node',
  3001: 'unavailable',
  3002: 'timeout',
  4002: 'conflict',
  4003: 'storage',
  5001: 'unauthenticated',
  5002: 'permission_denied',
};

/** What became of one item of a batch. */
export function errorOfItem({ code, message, details }: ErrorBody): CairnError {
  return new CairnError(codesOfItems[code] ?? 'internal', message, { subject: subjectOf(details) });
}

export async function answeredError(status: number, answer: IncomingMessage): Promise<CairnError> {
  const body = await bytesOf(answer).then(parse, () => undefined);
  const code = codesByNumber[`${status} ${body?.code}`] ?? codes[status] ?? 'internal';
  return new CairnError(code, body?.message ?? `status ${status}`, { subject: subjectOf(body?.details) });
}

function parse(bytes: Buffer): ErrorBody | undefined {
  try {
    const body = JSON.parse(`${bytes}`) as ErrorBody;
    return typeof body.message === 'string' ? body : undefined;
  } catch {
    // Something on the way has answered in its own words.
    return undefined;
  }
}

function subjectOf(details: ErrorBody['details']): ErrorSubject | undefined {
  for (const kind of ['file', 'upload', 'chunk', 'node'] as const) {
    const id = details?.[`${kind}_id`];
    if (id !== undefined) return { kind, id };
  }
  const parameter = details?.parameter;
  return parameter === undefined ? undefined : { kind: 'parameter', id: parameter };
}
