// Cross-origin sharing for every face: which pages of other sites may call this server from a browser, and which
// answer headers they may read. Nobody, unless configured.

import { cors as connectCors } from '@connectrpc/connect';
import type { NodeRequest } from './request-listener.js';

/** Adds the headers a browser asks for. True when it was a pre-flight, which is answered then. */
export type Cors = (request: Pick<NodeRequest, 'headers' | 'method'>, response: CorsAnswer) => boolean;

/** The part of a response that is used here. */
export interface CorsAnswer {
  setHeader(name: string, value: string): unknown;
  writeHead(status: number): unknown;
  end(): unknown;
}

const allowedMethods = [
  ...new Set([...connectCors.allowedMethods, 'GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE']),
].join(', ');

const allowedHeaders = [
  ...connectCors.allowedHeaders,
  'Authorization',
  'X-Cairn-Transport-Token',
  'Range',
  'If-Range',
  'If-Match',
  'If-None-Match',
  'Content-Encoding',
  'Tus-Resumable',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-HTTP-Method-Override',
  'X-Requested-With',
].join(', ');

const exposedHeaders = [
  ...connectCors.exposedHeaders,
  'ETag',
  'Content-Range',
  'Accept-Ranges',
  'Content-Length',
  'Location',
  'Content-Disposition',
  'Tus-Extension',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-File-Id',
].join(', ');

/** How long a browser may remember a pre-flight; some take no longer. */
const preflightSeconds = 7200;

/** For these origins, as browsers write them (`https://example.com`), or `*` for all. */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return () => false;
  const everyone = origins.includes('*');

  return (request, response) => {
    const { origin } = request.headers;
    // Answers are cached: one given to nobody in particular must not be shown to a page, nor the other way round.
    if (!everyone) response.setHeader('vary', 'Origin');
    if (!everyone && (origin === undefined || !origins.includes(origin))) return false;
    response.setHeader('access-control-allow-origin', everyone ? '*' : (origin as string));
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      response.setHeader('access-control-allow-methods', allowedMethods);
      response.setHeader('access-control-allow-headers', allowedHeaders);
      response.setHeader('access-control-max-age', String(preflightSeconds));
      response.writeHead(204);
      response.end();
      return true;
    }
    response.setHeader('access-control-expose-headers', exposedHeaders);
    return false;
  };
}
