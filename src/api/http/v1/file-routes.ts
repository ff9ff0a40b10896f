// Routes of files: upload, download, what is known of them, their versions and chunks.

import { Type } from '@sinclair/typebox';
import type { Random } from '../../../base/random.js';
import type { Cluster } from '../../../cluster/cluster.js';
import type { FileService } from '../../../file/file-service.js';
import {
  chunkData,
  fileDetails,
  fileDetailsData,
  listedChunk,
  listedFile,
  listedFileData,
  pageOf,
  storedFile,
  storedFileData,
} from '../../file-shapes.js';
import { type ApiRoute, apiRoute } from './api-route.js';
import { wrongParameter } from './check-shape.js';
import { downloadFile } from './download-file.js';
import { readOnlyFilePart } from './multipart-body.js';
import { oneOf, pageData, pageQuery } from './schemas.js';

export interface FileRoutesParts {
  readonly files: FileService;
  readonly cluster: Pick<Cluster, 'refuseWrites'>;
  /** Makes boundaries between parts of answers. */
  readonly random: Random;
}

/** Alone, a node keeps one copy of everything. */
const replicas = 1;

export const ifExistsQuery = { if_exists: Type.Optional(oneOf(['version', 'fail'])) };
const version = Type.Integer({ minimum: 1 });
const versionQuery = Type.Object({ version: Type.Optional(version) });

export function fileRoutes(parts: FileRoutesParts): ApiRoute[] {
  return [...collectionRoutes(parts), ...contentRoutes(parts), ...versionRoutes(parts)];
}

function collectionRoutes({ files, cluster }: FileRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/files',
      need: 'write',
      summary: 'Store a file, or a new version of the one that has its name',
      query: Type.Object(ifExistsQuery),
      takes: 'multipart/form-data',
      data: storedFile,
      async handle({ exchange, query }) {
        cluster.refuseWrites();
        const { fileName, contentType, body } = await readOnlyFilePart(exchange, 'file');
        const { signal } = exchange;
        const options = { ifExists: query.if_exists, contentType, signal };
        return storedFileData(await files.upload(fileName, body, options));
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/files',
      need: 'read',
      summary: 'The files, by name',
      query: Type.Object({ ...pageQuery, prefix: Type.Optional(Type.String()) }),
      data: Type.Object({ ...pageData, files: Type.Array(listedFile) }),
      async handle({ query: { prefix, page, page_size: pageSize } }) {
        const found = await files.list({ prefix, page, pageSize });
        return { ...pageOf(found), files: found.items.map(listedFileData) };
      },
    }),
  ];
}

function contentRoutes({ files, random }: FileRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/files/{file_id}',
      need: 'read',
      summary: 'The bytes of a file',
      query: versionQuery,
      gives: 'application/octet-stream',
      handle: async ({ exchange, path, query }) =>
        downloadFile(exchange, random, await files.open(path('file_id'), query)),
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/files/{file_id}',
      need: 'delete',
      summary: 'Remove a file with all its versions',
      async handle({ path }) {
        await files.delete(path('file_id'));
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/files/{file_id}/info',
      need: 'read',
      summary: 'What is known of a file',
      query: versionQuery,
      data: fileDetails,
      handle: async ({ path, query }) => fileDetailsData(await files.info(path('file_id'), query), replicas),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/files/{file_id}/chunks',
      need: 'read',
      summary: 'The chunks of a file, in order',
      query: Type.Object({ ...pageQuery, page_size: Type.Optional(version), version: Type.Optional(version) }),
      data: Type.Object({ ...pageData, chunks: Type.Array(listedChunk) }),
      async handle({ path, query: { page, page_size: pageSize, version } }) {
        const found = await files.chunks(path('file_id'), { page, pageSize, version });
        return { ...pageOf(found), chunks: found.items.map(chunkData) };
      },
    }),
  ];
}

function versionRoutes({ files, cluster }: FileRoutesParts): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/files/{file_id}/versions',
      need: 'read',
      summary: 'The versions of a file, the newest first',
      query: Type.Object(pageQuery),
      data: Type.Object({ ...pageData, versions: Type.Array(fileDetails) }),
      async handle({ path, query: { page, page_size: pageSize } }) {
        const found = await files.versions(path('file_id'), { page, pageSize });
        return { ...pageOf(found), versions: found.items.map((info) => fileDetailsData(info, replicas)) };
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/files/{file_id}/versions/{version}/restore',
      need: 'write',
      summary: 'Make an earlier version the newest',
      data: fileDetails,
      async handle({ path }) {
        cluster.refuseWrites();
        const number = /^\d{1,15}$/.test(path('version')) ? Number(path('version')) : 0;
        if (number === 0) throw wrongParameter('version', 'is no number of a version');
        return fileDetailsData(await files.restore(path('file_id'), number), replicas);
      },
    }),
  ];
}
