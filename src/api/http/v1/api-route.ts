// One route of the LumeoFS API: its path, what it takes, what it answers, and who does it. From these descriptions come
// both the router's table and the OpenAPI document, so that neither can say what the other does not.

import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox';
import { CairnError } from '../../../base/errors.js';
import { digestBlob } from '../../../blake3/hasher.js';
import type { Need } from '../../auth/principal.js';
import { blobTag, checkConditions } from '../conditions.js';
import type { Exchange } from '../exchange.js';
import type { Route } from '../router.js';
import { readJson } from './json-body.js';
import { readQuery } from './read-query.js';

export interface ApiCall<Query, Body> {
  readonly exchange: Exchange;
  /** What stands in the path for `{name}`, decoded. */
  path(name: string): string;
  readonly query: Query;
  readonly body: Body;
}

interface RouteHead {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  /** What its callers must be allowed to do. */
  readonly need: Need;
}

/** What the request and the answer are made of, as far as it is not JSON. */
export interface RouteMedia {
  /** Media type of the request's body, which the handler reads by itself. */
  readonly takes?: string;
  /** Media type of the answer's body, which the handler sends by itself. */
  readonly gives?: string;
}

interface RouteShapes<Query extends TObject, Body extends TSchema, Data extends TSchema> {
  readonly query?: Query;
  /** Shape of a JSON body. */
  readonly body?: Body;
  /** Shape of the answer's `data`; without it the answer has none. */
  readonly data?: Data;
}

type Handler = (call: ApiCall<unknown, unknown>) => unknown;

export type ApiRoute = RouteHead & RouteMedia & RouteShapes<TObject, TSchema, TSchema> & { readonly handle: Handler };

/** Checks that a handler fits the shapes. It answers with `data`, or by itself where `gives` says so. */
export function apiRoute<
  Query extends TObject = TObject,
  Body extends TSchema = TSchema,
  Data extends TSchema = TSchema,
>(
  route: RouteHead &
    RouteMedia &
    RouteShapes<Query, Body, Data> & {
      handle(call: ApiCall<Static<Query>, Static<Body>>): Promise<Static<Data>> | Static<Data>;
    },
): ApiRoute {
  return route as ApiRoute;
}

const noQuery = Type.Object({});

/** Rows for the router: one for each path, in the order in which the paths first come. */
export function routerRows(routes: readonly ApiRoute[]): Route[] {
  const rows = new Map<string, { path: string; methods: Record<string, Route['methods'][string]> }>();
  for (const route of routes) {
    const row = rows.get(route.path) ?? { path: route.path, methods: {} };
    rows.set(route.path, row);
    row.methods[route.method] = {
      need: route.need,
      handle: (exchange, ...parts) => answer(route, exchange, parts),
    };
  }
  return [...rows.values()];
}

async function answer(route: ApiRoute, exchange: Exchange, parts: readonly string[]): Promise<void> {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const query = readQuery(exchange.query, route.query ?? noQuery);
  const body = route.body && (await readJson(exchange, route.body));
  const path = (name: string) => decodePart(parts[names.indexOf(name)]!);
  const data = await route.handle({ exchange, path, query, body });
  if (route.gives === undefined) answerSuccess(exchange, data);
}

/** The answer to a call that went well. What was read has an entity tag, that of its text, for those who ask again. */
function answerSuccess(exchange: Exchange, data: unknown): void {
  const envelope = { code: 0, message: 'success', ...(data !== undefined && { data }) };
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    exchange.answerJson(200, envelope, { 'cache-control': 'no-store' });
    return;
  }
  const etag = blobTag(digestBlob(Buffer.from(JSON.stringify(envelope))).hash);
  const headers = { 'cache-control': 'no-cache', etag };
  if (checkConditions(exchange, etag) === 'not_modified') exchange.answer(304, headers);
  else exchange.answerJson(200, envelope, headers);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new CairnError('invalid_argument', `${JSON.stringify(part)} is not percent-encoded UTF-8`, { cause });
  }
}
