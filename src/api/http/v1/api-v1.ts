// All routes of the file API, which is that of the LumeoFS document, and the document that describes them to programs.

import type { Route } from '../router.js';
import { apiRoute, routerRows } from './api-route.js';
import { batchRoutes } from './batch-routes.js';
import { type ClusterRoutesParts, clusterRoutes } from './cluster-routes.js';
import { type FileRoutesParts, fileRoutes } from './file-routes.js';
import { openApiDocument } from './openapi.js';
import { tusRoutes } from './tus-routes.js';
import { type UploadRoutesParts, uploadRoutes } from './upload-routes.js';

export type ApiV1Parts = ClusterRoutesParts & FileRoutesParts & UploadRoutesParts;

export function apiV1Routes(parts: ApiV1Parts): Route[] {
  const routes = [...batchRoutes(parts), ...fileRoutes(parts), ...uploadRoutes(parts), ...clusterRoutes(parts)];
  routes.push(
    apiRoute({
      method: 'GET',
      path: '/api/v1/openapi.json',
      need: 'public',
      summary: 'This description',
      gives: 'application/json',
      handle: ({ exchange }) => exchange.answerJson(200, document),
    }),
  );
  const document = openApiDocument(routes, parts.version);
  return [...routerRows(routes), ...tusRoutes(parts)];
}
