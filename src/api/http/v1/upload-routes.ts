// Routes of uploads that resume: sessions whose offset is what is durable. Parts may have any length up to the session's
// `chunk_size`, which has nothing to do with the chunks of the store.

import { type Static, Type } from '@sinclair/typebox';
import { formatTime } from '../../../base/clock.js';
import type { Cluster } from '../../../cluster/cluster.js';
import type { UploadInfo, UploadSessions } from '../../../file/upload-sessions.js';
import { pageOf, storedFile, storedFileData } from '../../file-shapes.js';
import type { Exchange } from '../exchange.js';
import { declaredBytes } from '../request-body.js';
import { type ApiRoute, apiRoute } from './api-route.js';
import { wrongParameter } from './check-shape.js';
import { decodedBody, isEncoded } from './decoded-body.js';
import { count, oneOf, pageData, pageQuery, time } from './schemas.js';

export interface UploadRoutesParts {
  readonly uploads: UploadSessions;
  readonly cluster: Pick<Cluster, 'refuseWrites'>;
}

const uploadSession = Type.Object(
  {
    upload_id: Type.String(),
    file_name: Type.String(),
    file_size: count,
    uploaded_size: Type.Integer({ minimum: 0, description: 'bytes that are durable: the offset of the next part' }),
    chunk_size: Type.Union([count, Type.Null()], { description: 'most bytes of one part; null for any number' }),
    created_at: time,
    expires_at: time,
  },
  { $id: 'UploadSession' },
);

export function uploadRoutes(parts: UploadRoutesParts): ApiRoute[] {
  return [...sessionRoutes(parts), ...partRoutes(parts)];
}

function sessionRoutes({ uploads, cluster }: UploadRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/uploads',
      need: 'write',
      summary: 'Begin an upload that can be resumed',
      body: Type.Object({
        file_name: Type.String(),
        file_size: Type.Integer({ minimum: 0 }),
        chunk_size: Type.Optional(Type.Integer({ minimum: 1 })),
        content_type: Type.Optional(Type.String()),
        if_exists: Type.Optional(oneOf(['version', 'fail'])),
      }),
      data: uploadSession,
      async handle({ body }) {
        cluster.refuseWrites();
        const { file_name, file_size, chunk_size, content_type, if_exists } = body;
        const options = { partBytesMax: chunk_size, contentType: content_type, ifExists: if_exists };
        return sessionData(await uploads.create(file_name, file_size, options));
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/uploads',
      need: 'read',
      summary: 'Uploads that are not complete',
      query: Type.Object(pageQuery),
      data: Type.Object({ ...pageData, uploads: Type.Array(uploadSession) }),
      async handle({ query: { page, page_size: pageSize } }) {
        const found = await uploads.list({ page, pageSize });
        return { ...pageOf(found), uploads: found.items.map(sessionData) };
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/uploads/{upload_id}',
      need: 'read',
      summary: 'How far an upload is',
      data: uploadSession,
      handle: async ({ path }) => sessionData(await uploads.info(path('upload_id'))),
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/uploads/{upload_id}',
      need: 'write',
      summary: 'Give an upload up',
      async handle({ path }) {
        await uploads.abort(path('upload_id'));
      },
    }),
  ];
}

function partRoutes({ uploads, cluster }: UploadRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'PUT',
      path: '/api/v1/uploads/{upload_id}',
      need: 'write',
      summary: 'Send the next part',
      query: Type.Object({ offset: Type.Integer({ minimum: 0, description: 'where the part begins' }) }),
      takes: 'application/octet-stream',
      data: uploadSession,
      async handle({ exchange, path, query: { offset } }) {
        cluster.refuseWrites();
        const session = await uploads.info(path('upload_id'));
        refuseLongPart(exchange, session, offset);
        const { signal } = exchange;
        return sessionData(await uploads.append(session.uploadId, offset, decodedBody(exchange), { signal }));
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/uploads/{upload_id}/complete',
      need: 'write',
      summary: 'Make the file of an upload whose bytes are all there; again within a day, the same answer',
      data: storedFile,
      async handle({ path }) {
        cluster.refuseWrites();
        return storedFileData(await uploads.complete(path('upload_id')));
      },
    }),
  ];
}

/** A part that says it is too long is not begun. */
function refuseLongPart(exchange: Exchange, { size, partBytesMax = size }: UploadInfo, offset: number): void {
  if (isEncoded(exchange)) return;
  const bytes = declaredBytes(exchange) ?? 0;
  if (bytes > partBytesMax)
    throw wrongParameter('chunk_size', `allows ${partBytesMax} bytes, and the part has ${bytes}`);
  if (offset + bytes > size) throw wrongParameter('file_size', `is ${size}, and the part ends at ${offset + bytes}`);
}

function sessionData(info: UploadInfo): Static<typeof uploadSession> {
  return {
    upload_id: info.uploadId,
    file_name: info.name,
    file_size: info.size,
    uploaded_size: info.offset,
    chunk_size: info.partBytesMax ?? null,
    created_at: formatTime(info.createdAt),
    expires_at: formatTime(info.expiresAt),
  };
}
