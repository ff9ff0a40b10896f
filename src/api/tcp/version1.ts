// LMOF version 1: JSON bodies, `{type, request_id, data}`, with the bytes of files in Base64. A body is held whole, so it is
// bounded; larger files go by version 2, or over HTTP. Request ids are 64-bit numbers: they are written with all their
// digits, and read from the header, since JSON parsers round them.

import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { concatBytes } from '../../base/bytes.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { HeldBytes } from '../held-bytes.js';
import type { Codec } from './codec.js';
import { encodeHeader } from './header.js';
import type { AnyRequest, DownloadAnswer } from './lmof-messages.js';
import { type Action, messageTypes, responseName } from './message-types.js';

const wholeNumber = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Checked by those who know what a page is. */
const pageNumber = Type.Optional(Type.Integer());
const fileId = { file_id: Type.String() };

const schemas = {
  UPLOAD: Type.Object({
    file_name: Type.String(),
    file_size: Type.Optional(wholeNumber),
    content_type: Type.Optional(Type.String()),
    if_exists: Type.Optional(Type.String()),
    file_content: Type.String(),
  }),
  DOWNLOAD: Type.Object({
    ...fileId,
    offset: Type.Optional(wholeNumber),
    length: Type.Optional(wholeNumber),
    version: Type.Optional(wholeNumber),
  }),
  DELETE: Type.Object(fileId),
  LIST: Type.Object({ page: pageNumber, page_size: pageNumber, prefix: Type.Optional(Type.String()) }),
  HEARTBEAT: Type.Object({
    node_id: Type.Optional(Type.String()),
    stats: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  AUTH: Type.Object({
    token: Type.Optional(Type.String()),
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
  }),
} satisfies Record<Action, TSchema>;

export const version1: Codec = {
  version: 1,
  bodyBytesMax: (action) => (action === 'UPLOAD' ? limits.lmofJsonBytesMax : limits.lmofMetadataBytesMax),
  async read(action, requestId, body, held) {
    const bytes = await body.gather(body.remaining, held);
    return { action, request: requestOf(action, dataOf(action, requestId, bytes)) } as AnyRequest;
  },
  async *answer(requestId, { action, answer }, held) {
    const data = action === 'DOWNLOAD' ? await withContent(answer, held) : answer;
    yield message(messageTypes[responseName(action)], requestId, `"data":${JSON.stringify(data)}`);
  },
  fail(requestId, { type, action }, failure) {
    const fields = JSON.stringify(failure).slice(1, -1);
    return message(action === undefined ? type : messageTypes[responseName(action)], requestId, fields);
  },
};

function message(type: number, requestId: bigint, fields: string): readonly Uint8Array[] {
  const name = Object.entries(messageTypes).find(([, number]) => number === type)?.[0] ?? 'UNKNOWN';
  const body = Buffer.from(`{"type":"${name}","request_id":${requestId},${fields}}`);
  return [encodeHeader({ version: 1, type, length: BigInt(body.length), requestId }), body];
}

/** The `data` of a request whose `type` and `request_id`, where it has them, are those of its header. */
function dataOf(action: Action, requestId: bigint, bytes: Buffer): unknown {
  const body = parseJson(bytes);
  if (typeof body !== 'object' || body === null) throw invalid('a body is a JSON object');
  const { type, request_id: id, data } = body as Readonly<Record<string, unknown>>;
  if (type !== undefined && type !== `${action}_REQUEST`) {
    throw invalid(`the header says ${action}_REQUEST, the body says ${JSON.stringify(type).slice(0, 64)}`);
  }
  // A number lost its last digits to the parser if it has too many; then so does the header's.
  const isSame = id === undefined || (typeof id === 'number' ? id === Number(requestId) : id === `${requestId}`);
  if (!isSame) throw invalid(`the header's request id is ${requestId}, the body's is another`);
  return data ?? {};
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CairnError('invalid_argument', 'the body is not JSON in UTF-8', { cause });
  }
}

function requestOf(action: Action, data: unknown): unknown {
  const schema = schemas[action];
  if (!Value.Check(schema, data)) {
    const first = Value.Errors(schema, data).First();
    throw invalid(`data${first?.path.replaceAll('/', '.') ?? ''}: ${first?.message ?? 'is not what it should be'}`);
  }
  if (action !== 'UPLOAD') return data;
  const { file_content: text, ...rest } = data as { file_content: string };
  return { ...rest, isSizeExact: false, content: contentOf(text) };
}

/** Node takes anything for Base64 and leaves out what is none. */
function contentOf(text: string): Buffer {
  const content = Buffer.from(text, 'base64');
  const unpadded = text.replace(/={1,2}$/, '');
  if (unpadded.length !== Math.ceil((content.length * 4) / 3)) throw invalid('data.file_content is not Base64');
  return content;
}

async function withContent({ content, ...rest }: DownloadAnswer, held: HeldBytes): Promise<object> {
  if (rest.length > limits.lmofJsonContentBytesMax) {
    throw new CairnError(
      'too_large',
      `version 1 sends at most ${limits.lmofJsonContentBytesMax} bytes at once: give offset and length, or use version 2`,
    );
  }
  held.take(rest.length);
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(Uint8Array.from(piece));
  return { ...rest, file_content: Buffer.from(concatBytes(pieces)).toString('base64') };
}

function invalid(message: string): CairnError {
  return new CairnError('invalid_argument', message);
}
