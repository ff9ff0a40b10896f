// Which handler answers a request. In a route's path `{name}` stands for any one segment, or what of it other text leaves,
// and `{name...}` for all the rest; what they stand for is handed to the handler, as it was sent. The first route that
// fits counts. HEAD goes where GET goes, and OPTIONS is answered from the table where no handler is named for it.

import { CairnError } from '../../base/errors.js';
import type { Need } from '../auth/principal.js';
import type { Exchange } from './exchange.js';

export type RouteHandler = (exchange: Exchange, ...parts: string[]) => Promise<void> | void;

export interface RouteMethod {
  /** What its callers must be allowed to do. */
  readonly need: Need;
  readonly handle: RouteHandler;
}

export interface Route {
  /** Such as `/blobs/{hash}`. Letters, digits, slashes and dots beside the names. */
  readonly path: string;
  readonly methods: Readonly<Record<string, RouteMethod>>;
}

/** What a request was found to be. `name` is the same for all requests of a kind, for logs and metrics. */
export interface Found {
  readonly name: string;
  readonly need: Need;
  readonly handle: (exchange: Exchange) => Promise<void> | void;
}

export class Router {
  readonly #routes: readonly { readonly route: Route; readonly pattern: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  }

  find(method: string, path: string): Found {
    const match = this.#match(path);
    if (match === undefined) return other(refuse('not_found', 'there is nothing here'));
    const { route, parts } = match;
    const found = route.methods[method === 'HEAD' ? 'GET' : method];
    if (Object.hasOwn(route.methods, method === 'HEAD' ? 'GET' : method) && found !== undefined) {
      const { need, handle } = found;
      return { name: `${method} ${route.path}`, need, handle: (exchange) => handle(exchange, ...parts) };
    }
    const allow = allowedMethods(route).join(', ');
    if (method === 'OPTIONS') return other((exchange) => exchange.answer(204, { allow }));
    return other((exchange) =>
      exchange.answerError(new CairnError('unimplemented', `${route.path} takes ${allow}`), { allow }, 405),
    );
  }

  #match(path: string): { route: Route; parts: string[] } | undefined {
    for (const { route, pattern } of this.#routes) {
      const match = pattern.exec(path);
      if (match !== null) return { route, parts: match.slice(1) };
    }
    return undefined;
  }
}

/** What is not there, and which methods something takes, may be known to all. */
function other(handle: Found['handle']): Found {
  return { name: 'other', need: 'public', handle };
}

function patternOf(path: string): RegExp {
  const pattern = path
    .replaceAll('.', '\\.')
    .replace(/\{\w+(\\\.\\\.\\\.)?\}/g, (_, rest?: string) => (rest === undefined ? '([^/]*)' : '(.*)'));
  return new RegExp(`^${pattern}$`, 's');
}

function allowedMethods(route: Route): string[] {
  const methods = Object.keys(route.methods);
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])];
}

function refuse(code: 'not_found', message: string): Found['handle'] {
  return () => {
    throw new CairnError(code, message);
  };
}
