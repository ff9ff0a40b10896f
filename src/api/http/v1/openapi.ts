// The OpenAPI 3.1 document of the routes, made from their descriptions. Shapes that have a name are written once, under it.

import type { TObject, TSchema } from '@sinclair/typebox';
import type { ApiRoute } from './api-route.js';
import { errorBody } from './schemas.js';

type Json = { readonly [name: string]: unknown };

export function openApiDocument(routes: readonly ApiRoute[], version: string): Json {
  const named = new Map<string, unknown>();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, named) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Cairn files over HTTP', version },
    paths,
    components: { schemas: Object.fromEntries(named) },
  };
}

function operation(route: ApiRoute, named: Map<string, unknown>): Json {
  const body = requestBody(route, named);
  return {
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryParameters(route.query, named)],
    ...(body && { requestBody: { required: true, content: body } }),
    responses: {
      200: { description: 'success', content: answerBody(route, named) },
      default: { description: 'an error', content: { 'application/json': { schema: plain(errorBody, named) } } },
    },
  };
}

function requestBody({ takes, body }: ApiRoute, named: Map<string, unknown>): Json | undefined {
  if (takes !== undefined) return { [takes]: {} };
  return body && { 'application/json': { schema: plain(body, named) } };
}

function answerBody({ gives, data }: ApiRoute, named: Map<string, unknown>): Json {
  if (gives !== undefined) return { [gives]: {} };
  const properties = { code: { const: 0 }, message: { const: 'success' }, ...(data && { data: plain(data, named) }) };
  return { 'application/json': { schema: { type: 'object', properties, required: Object.keys(properties) } } };
}

function pathParameters(path: string): Json[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function queryParameters(query: TObject | undefined, named: Map<string, unknown>): Json[] {
  return Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query!.required?.includes(name) === true,
    schema: plain(schema, named),
  }));
}

/** A shape as plain JSON Schema: named ones become references, and are gathered. */
function plain(value: unknown, named: Map<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((each) => plain(each, named));
  if (typeof value !== 'object' || value === null) return value;
  const { $id, ...rest } = value as TSchema;
  const copy = Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, plain(each, named)]));
  if ($id === undefined) return copy;
  named.set($id, copy);
  return { $ref: `#/components/schemas/${$id}` };
}
