// Many files in one request: uploads as one form, with a result for each; downloads as the parts of one answer, with an error
// for each that cannot be had. Both are streams, and one file is under way at a time.

import { Dicer } from '@fastify/busboy';
import { parse } from 'content-disposition';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Part, PartReader } from '../../base/part-reader.js';
import { type ErrorBody, errorOfItem } from './answered-error.js';
import { jsonBody } from './compressed-body.js';
import type { UploadedFile } from './file-shapes.js';
import type { Form } from './form-body.js';
import type { HttpCaller } from './http-caller.js';
import { bytesOf, piecesOf } from './read-body.js';

/** What became of one file of a batch: it is stored, or it is not. */
export type BatchUploaded =
  | { readonly fileName: string; readonly stored: UploadedFile; readonly error?: undefined }
  | { readonly fileName: string; readonly stored?: undefined; readonly error: CairnError };

/** One file of a batch, or why it cannot be had. */
export type BatchDownloaded =
  | {
      readonly fileId: string;
      /** As the server would have it saved: what its name has behind the last slash. */
      readonly fileName: string;
      readonly fileSize: number;
      /** To be read before the next file is asked for; what is left then is passed over. */
      readonly content: AsyncIterable<Uint8Array>;
      readonly error?: undefined;
    }
  | {
      readonly fileId: string;
      readonly fileName?: undefined;
      readonly fileSize?: undefined;
      readonly content?: undefined;
      readonly error: CairnError;
    };

export interface BatchCall {
  /** `version`, if not said otherwise. */
  readonly ifExists?: 'version' | 'fail' | undefined;
  readonly signal?: AbortSignal | undefined;
}

type ItemAnswer = { readonly file_name: string } & (
  | (ErrorBody & { readonly data?: undefined })
  | { data: UploadedFile }
);

/** Sends a form of so many files; results are in its order. Nothing is sent twice. */
export async function uploadForm(
  caller: HttpCaller,
  names: readonly string[],
  form: Form,
  { ifExists, signal }: BatchCall,
): Promise<BatchUploaded[]> {
  const { results } = await caller.data<{ results: readonly ItemAnswer[] }>({
    method: 'POST',
    path: `/api/v1/files/batch${ifExists === undefined ? '' : `?if_exists=${ifExists}`}`,
    headers: { 'content-type': form.contentType },
    body: form.body,
    isIdempotent: false,
    signal,
  });
  if (results.length !== names.length) throw wrongNumber();
  return results.map((result, i) =>
    result.data === undefined
      ? { fileName: names[i]!, error: errorOfItem(result) }
      : { fileName: names[i]!, stored: result.data },
  );
}

/** The files in the order asked for. Whoever stops early closes the connection. */
export async function* downloadParts(
  caller: HttpCaller,
  fileIds: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchDownloaded, void, undefined> {
  const request = jsonBody({ file_ids: fileIds });
  const path = '/api/v1/files/batch/download';
  const { body, headers } = await caller.call({ method: 'POST', path, ...request, isIdempotent: true, signal });
  const reader = partReader(headers['content-type'] ?? '');
  // Left to itself when nobody reads any more.
  const read = reader.pump(piecesOf(body, signal));
  try {
    for (const fileId of fileIds) {
      const part = await reader.next();
      if (part === undefined) throw wrongNumber();
      yield await itemOf(fileId, part);
    }
    // Behind the last part there is nothing but the end, which says that it was whole.
    if ((await reader.next()) !== undefined) throw wrongNumber();
    await read;
  } finally {
    reader.stop();
    body.destroy();
  }
}

interface PartHead {
  readonly headers: Readonly<Record<string, string>>;
}

function partReader(contentType: string): PartReader<PartHead> {
  const boundary = /^multipart\/mixed;\s*boundary="?([^";\s]+)/i.exec(contentType)?.[1];
  if (boundary === undefined) throw new CairnError('internal', `the answer is of type ${contentType}`);
  const parser = new Dicer({ boundary, maxHeaderPairs: limits.partHeadersCountMax });
  const reader = new PartReader<PartHead>(parser);
  parser.on('part', (part) => {
    // Whose head is cut off is told by the parser itself.
    part.on('error', () => {});
    part.once('header', (head) => reader.arrive(part, { headers: firstValues(head) }));
  });
  parser.on('error', (cause) =>
    reader.fail(new CairnError('unavailable', `the answer broke off: ${cause}`, { cause })),
  );
  parser.on('finish', () => reader.finish());
  return reader;
}

function firstValues(head: object): Record<string, string> {
  // The parser hands out a list of values for each name.
  return Object.fromEntries(Object.entries(head as Record<string, string[]>).map(([name, [value]]) => [name, value!]));
}

async function itemOf(fileId: string, { headers, body }: Part<PartHead>): Promise<BatchDownloaded> {
  if (headers['x-code'] !== '0') {
    return { fileId, error: errorOfItem(JSON.parse(`${await bytesOf(body)}`) as ErrorBody) };
  }
  const fileName = parse(headers['content-disposition'] ?? 'attachment').parameters.filename ?? '';
  return { fileId, fileName, fileSize: Number(headers['content-length']), content: body };
}

function wrongNumber(): CairnError {
  return new CairnError('internal', 'the answer has not as many items as the question');
}
