// Many files in one request: uploads with a result for each, downloads as parts of one answer with an error for each that
// cannot be had. Both are streams; one file is under way at a time.

import { type Static, Type } from '@sinclair/typebox';
import { errorCode } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { uniqueName } from '../../../base/random.js';
import type { FileService } from '../../../file/file-service.js';
import { isServerFault, toLumeoError } from '../../error-map.js';
import { storedFile, storedFileData } from '../../file-shapes.js';
import type { Exchange } from '../exchange.js';
import { type ApiRoute, apiRoute } from './api-route.js';
import { dispositionOf, sendAll } from './download-file.js';
import { type FileRoutesParts, ifExistsQuery } from './file-routes.js';
import { type FilePart, noSuchPart, readFileParts } from './multipart-body.js';
import { count, errorBody } from './schemas.js';

const uploaded = Type.Object({
  file_name: Type.String(),
  code: Type.Literal(0),
  message: Type.Literal('success'),
  data: storedFile,
});

const refused = Type.Object({ file_name: Type.String(), ...errorBody.properties });

type Result = Static<typeof uploaded> | Static<typeof refused>;

export function batchRoutes({ files, cluster, random }: FileRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/files/batch',
      need: 'write',
      summary: 'Store many files, with a result for each in their order',
      query: Type.Object(ifExistsQuery),
      takes: 'multipart/form-data',
      data: Type.Object({
        total: count,
        succeeded: count,
        failed: count,
        results: Type.Array(Type.Union([uploaded, refused])),
      }),
      async handle({ exchange, query }) {
        cluster.refuseWrites();
        const results: Result[] = [];
        let chunksLeft: number = limits.uploadChunksListedCountMax;
        for await (const part of readFileParts(exchange, limits.batchFilesCountMax)) {
          const result = await uploadOne(files, exchange, part, query.if_exists);
          if ('data' in result) {
            // All of them together list no more chunks than one upload does.
            const chunks = result.data.chunks.slice(0, chunksLeft);
            chunksLeft -= chunks.length;
            results.push({ ...result, data: { ...result.data, chunks } });
          } else results.push(result);
        }
        if (results.length === 0) throw noSuchPart('file');
        const succeeded = results.filter(({ code }) => code === 0).length;
        return { total: results.length, succeeded, failed: results.length - succeeded, results };
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/files/batch/download',
      need: 'read',
      summary:
        'Many files as parts of one answer, in the order asked for; X-Code of a part is 0, or the number of its error',
      body: Type.Object({
        file_ids: Type.Array(Type.String(), { minItems: 1, maxItems: limits.batchFilesCountMax }),
      }),
      gives: 'multipart/mixed',
      async handle({ exchange, body }) {
        const boundary = uniqueName(random);
        const pieces = batchPieces(files, exchange, body.file_ids, boundary);
        const headers = { 'content-type': `multipart/mixed; boundary=${boundary}`, 'cache-control': 'no-store' };
        await sendAll(exchange, 200, headers, pieces);
      },
    }),
  ];
}

async function uploadOne(
  files: FileService,
  exchange: Exchange,
  { field, fileName, contentType, body }: FilePart,
  ifExists: 'version' | 'fail' | undefined,
): Promise<Result> {
  try {
    if (field !== 'file') throw noSuchPart('file');
    const file = await files.upload(fileName, body, { ifExists, contentType, signal: exchange.signal });
    return { file_name: fileName, code: 0, message: 'success', data: storedFileData(file) };
  } catch (error) {
    return { file_name: fileName, ...errorOfItem(exchange, error) };
  }
}

/** What became of one item. The call goes on, but what was this server's fault still goes to its log. */
function errorOfItem(exchange: Exchange, error: unknown): Static<typeof errorBody> {
  if (isServerFault(errorCode(error))) exchange.fault ??= error;
  const { details, ...rest } = toLumeoError(error, exchange.clock.now());
  return { ...rest, details: { ...details } as Static<typeof errorBody>['details'] };
}

async function* batchPieces(
  files: FileService,
  exchange: Exchange,
  fileIds: readonly string[],
  boundary: string,
): AsyncGenerator<Uint8Array> {
  for (const [i, fileId] of fileIds.entries()) {
    const start = `${i === 0 ? '' : '\r\n'}--${boundary}\r\nX-File-Id: ${encodeURIComponent(Buffer.from(fileId).toString())}\r\n`;
    yield* filePieces(files, exchange, fileId, start);
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

/** One part: the file, or why it cannot be had. Once its bytes have begun, a failure breaks the whole answer off. */
async function* filePieces(
  files: FileService,
  exchange: Exchange,
  fileId: string,
  start: string,
): AsyncGenerator<Uint8Array> {
  let bytes: AsyncGenerator<Uint8Array> | undefined;
  try {
    let first: IteratorResult<Uint8Array>;
    try {
      const file = await files.open(fileId);
      bytes = file.bytes(undefined, { signal: exchange.signal, recycles: true });
      first = await bytes.next();
      const { info } = file;
      const head = `Content-Type: application/octet-stream\r\nContent-Length: ${info.size}\r\nX-Code: 0\r\n`;
      yield Buffer.from(`${start}${head}Content-Disposition: ${dispositionOf(info)}\r\n\r\n`);
    } catch (error) {
      const body = errorOfItem(exchange, error);
      const json = JSON.stringify(body);
      const head = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`;
      yield Buffer.from(`${start}${head}X-Code: ${body.code}\r\n\r\n${json}`);
      return;
    }
    if (!first.done) yield first.value;
    yield* bytes;
  } finally {
    await bytes?.return(undefined);
  }
}
