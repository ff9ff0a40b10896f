// Errors as the file API answers them, turned back into ours: by the status, and where that stands for several, by the number.

import type { IncomingMessage } from 'node:http';
import { CairnError, type ErrorCode, type ErrorSubject } from '../../base/errors.js';
import { bytesOf } from './read-body.js';

interface ErrorBody {
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
