// LMOF version 2: a body is the length of a Protocol Buffers message (u32, big-endian), the message, and then the bytes of a
// file, where there are some. They are never held whole: uploads are read as the store takes them, and downloads go out
// in parts, between which answers to other requests may come.

import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import {
  AuthRequestSchema,
  DeleteRequestSchema,
  DownloadRequestSchema,
  HeartbeatRequestSchema,
  ListRequestSchema,
  ResponseSchema,
  UploadRequestSchema,
} from '../../gen/cairn/lmof/v2/lmof_pb.js';
import type { Codec } from './codec.js';
import { encodeHeader } from './header.js';
import type { AnyAnswer, AnyRequest, DownloadAnswer } from './lmof-messages.js';
import type { MessageBody } from './message-body.js';
import { type Action, messageTypes, responseName } from './message-types.js';

const lengthBytes = 4;

export const version2: Codec = {
  version: 2,
  bodyBytesMax: (action) => lengthBytes + limits.lmofMetadataBytesMax + (action === 'UPLOAD' ? limits.blobBytesMax : 0),
  async read(action, _requestId, body, held) {
    const length = (await body.gather(lengthBytes, held)).readUInt32BE();
    if (length > limits.lmofMetadataBytesMax) {
      throw new CairnError('too_large', `a message has at most ${limits.lmofMetadataBytesMax} bytes, not ${length}`);
    }
    const message = await body.gather(length, held);
    if (action !== 'UPLOAD' && body.remaining > 0) throw invalid('bytes follow a message that has none');
    return readers[action](message, body);
  },
  async *answer(requestId, answer) {
    if (answer.action === 'DOWNLOAD') yield* parts(requestId, answer.answer);
    else yield respond(requestId, answer.action, outcomeOf(answer));
  },
  fail(requestId, { type, action }, failure) {
    const outcome = { case: 'failure', value: { ...failure, details: { ...failure.details } } } as const;
    return framed(requestId, action === undefined ? type : messageTypes[responseName(action)], outcome);
  },
};

type Outcome = NonNullable<MessageInitShape<typeof ResponseSchema>['outcome']>;

const readers: Record<Action, (bytes: Buffer, body: MessageBody) => AnyRequest> = {
  UPLOAD(bytes, body) {
    const { fileName, fileSize, contentType, ifExists } = decode(UploadRequestSchema, bytes);
    if (fileSize !== BigInt(body.remaining)) {
      throw invalid(`file_size says ${fileSize} bytes, and ${body.remaining} follow`);
    }
    return {
      action: 'UPLOAD',
      request: {
        file_name: fileName,
        file_size: Number(fileSize),
        isSizeExact: true,
        content_type: contentType || undefined,
        if_exists: ifExists || undefined,
        content: body.pieces(),
      },
    };
  },
  DOWNLOAD(bytes) {
    const { fileId, offset, length, version } = decode(DownloadRequestSchema, bytes);
    const request = {
      file_id: fileId,
      offset: safeNumber(offset),
      length: length === undefined ? undefined : safeNumber(length),
      version: version === undefined ? undefined : safeNumber(version),
    };
    return { action: 'DOWNLOAD', request };
  },
  DELETE: (bytes) => ({ action: 'DELETE', request: { file_id: decode(DeleteRequestSchema, bytes).fileId } }),
  LIST(bytes) {
    const { page, pageSize, prefix } = decode(ListRequestSchema, bytes);
    return { action: 'LIST', request: { page, page_size: pageSize, prefix } };
  },
  HEARTBEAT: (bytes) => ({
    action: 'HEARTBEAT',
    request: { node_id: decode(HeartbeatRequestSchema, bytes).nodeId || undefined },
  }),
  AUTH(bytes) {
    const { token, username, password } = decode(AuthRequestSchema, bytes);
    return {
      action: 'AUTH',
      request: { token: token || undefined, username: username || undefined, password: password || undefined },
    };
  },
};

function decode<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new CairnError('invalid_argument', `the body is no ${schema.name}`, { cause });
  }
}

/** Beyond what a number can say lies no file: the largest one stands for all of them. */
function safeNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

/** The messages have the members that answers have, under the same names. */
function outcomeOf({ action, answer }: Exclude<AnyAnswer, { action: 'DOWNLOAD' }>): Outcome {
  return fromJson(ResponseSchema, { [action.toLowerCase()]: answer } as unknown as JsonObject).outcome as Outcome;
}

async function* parts(requestId: bigint, { content, ...file }: DownloadAnswer): AsyncGenerator<readonly Uint8Array[]> {
  const end = file.offset + file.length;
  let offset = file.offset;
  const part = (bytes: Uint8Array) => {
    const isLast = offset + bytes.length === end;
    const value = {
      fileId: file.file_id,
      fileName: file.file_name,
      fileSize: BigInt(file.file_size),
      offset: BigInt(offset),
      length: BigInt(bytes.length),
      isLast,
    };
    offset += bytes.length;
    return respond(requestId, 'DOWNLOAD', { case: 'download', value }, bytes);
  };
  if (file.length === 0) yield part(new Uint8Array(0));
  for await (const piece of content) if (piece.length > 0) yield part(piece);
  if (offset !== end) throw new CairnError('corrupt', `the file ended after ${offset} bytes`);
}

function respond(requestId: bigint, action: Action, outcome: Outcome, bytes?: Uint8Array): readonly Uint8Array[] {
  return framed(requestId, messageTypes[responseName(action)], outcome, bytes);
}

function framed(requestId: bigint, type: number, outcome: Outcome, bytes?: Uint8Array): readonly Uint8Array[] {
  const message = toBinary(ResponseSchema, create(ResponseSchema, { outcome }));
  const length = BigInt(lengthBytes + message.length + (bytes?.length ?? 0));
  const head = Buffer.concat([
    encodeHeader({ version: 2, type, length, requestId }),
    Buffer.alloc(lengthBytes),
    message,
  ]);
  head.writeUInt32BE(message.length, head.length - message.length - lengthBytes);
  return bytes === undefined ? [head] : [head, bytes];
}

function invalid(message: string): CairnError {
  return new CairnError('invalid_argument', message);
}
