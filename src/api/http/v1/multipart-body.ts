// Files in a `multipart/form-data` body, one after the other, as streams that hold one piece of the body. Fields that are no
// files are passed over.

import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { type Part, PartReader } from '../../../base/part-reader.js';
import type { Exchange } from '../exchange.js';
import { decodedBody } from './decoded-body.js';

interface FileHead {
  /** Name of the form's field. */
  readonly field: string;
  /** As the client says, path and all. */
  readonly fileName: string;
  /** As the client says, or `text/plain` when it says nothing. */
  readonly contentType: string;
}

export type FilePart = Part<FileHead>;

/** `invalid_argument` for what is no such body, `too_large` for more than `filesMax` files or too many fields. */
export async function* readFileParts(exchange: Exchange, filesMax: number): AsyncGenerator<FilePart> {
  const parser = createParser(exchange, filesMax);
  const reader = new PartReader<FileHead>(parser);
  listen(parser, reader, filesMax);
  // Left to itself when nobody reads any more: it may be waiting for a piece that comes late or never.
  void reader.pump(decodedBody(exchange));
  try {
    for (;;) {
      const part = await reader.next();
      if (part === undefined) return;
      yield part;
    }
  } finally {
    reader.stop();
  }
}

/** The only file of a body: its end is told when the whole body has been found in order. */
export async function readOnlyFilePart(exchange: Exchange, field: string): Promise<FilePart> {
  const parts = readFileParts(exchange, 1);
  const { value: part } = await parts.next();
  if (part === undefined || part.field !== field) {
    await parts.return(undefined);
    throw noSuchPart(field);
  }
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      yield* part!.body;
      await parts.next();
    } finally {
      await parts.return(undefined);
    }
  }
  return { ...part, body: body() };
}

export function noSuchPart(field: string): CairnError {
  const subject = { kind: 'parameter', id: field } as const;
  return new CairnError('invalid_argument', `a part named ${field} with a filename is expected`, { subject });
}

function createParser(exchange: Exchange, filesMax: number): BusboyInstance {
  const type = exchange.header('content-type') ?? '';
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new CairnError('invalid_argument', `the body must be multipart/form-data, not ${type || 'of no type'}`);
  }
  try {
    return new Busboy({
      headers: { 'content-type': type },
      preservePath: true,
      fileHwm: limits.firstReadBytes,
      isPartAFile: (_field, _type, fileName) => fileName !== undefined,
      limits: {
        parts: filesMax + limits.formFieldsCountMax,
        files: filesMax,
        fields: limits.formFieldsCountMax,
        fieldSize: limits.formFieldBytesMax,
        headerPairs: limits.partHeadersCountMax,
        headerSize: limits.partHeaderBytesMax,
      },
    });
  } catch (cause) {
    throw new CairnError('invalid_argument', (cause as Error).message, { cause });
  }
}

function listen(parser: BusboyInstance, reader: PartReader<FileHead>, filesMax: number): void {
  const refuse = (what: string) => () => reader.fail(new CairnError('too_large', `the body has more than ${what}`));
  parser.on('file', (field, stream, fileName, _encoding, contentType) =>
    reader.arrive(stream, { field, fileName, contentType }),
  );
  parser.on('filesLimit', refuse(filesMax === 1 ? 'one file' : `${filesMax} files`));
  parser.on('fieldsLimit', refuse(`${limits.formFieldsCountMax} fields`));
  parser.on('partsLimit', refuse(`${filesMax + limits.formFieldsCountMax} parts`));
  parser.on('error', (cause) => reader.fail(new CairnError('invalid_argument', `multipart: ${cause}`, { cause })));
  parser.on('finish', () => reader.finish());
}
