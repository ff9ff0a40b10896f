// Which handler answers a request. A path is a list of segments; `{name}` stands for any one segment and is handed to
// the handler. HEAD goes where GET goes, and OPTIONS is answered from the table.

import { CairnError } from '../../base/errors.js';
import type { Exchange } from './exchange.js';

export type RouteHandler = (exchange: Exchange, segment: string) => Promise<void> | void;

export interface Route {
  /** Such as `/blobs/{hash}`; at most one `{name}`. */
  readonly path: string;
  readonly methods: Readonly<Record<string, RouteHandler>>;
}

/** What a request was found to be. `name` is the same for all requests of a kind, for logs and metrics. */
export interface Found {
  readonly name: string;
  readonly handle: (exchange: Exchange) => Promise<void> | void;
}

export class Router {
  readonly #routes: readonly { readonly route: Route; readonly segments: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, segments: route.path.split('/') }));
  }

  /** Is there anything under this path? */
  has(path: string): boolean {
    return this.#match(path) !== undefined;
  }

  find(method: string, path: string): Found {
    const match = this.#match(path);
    if (match === undefined) return { name: 'other', handle: refuse('not_found', 'there is nothing here') };
    const { route, segment } = match;
    const handler = route.methods[method === 'HEAD' ? 'GET' : method];
    if (Object.hasOwn(route.methods, method === 'HEAD' ? 'GET' : method) && handler !== undefined) {
      return { name: `${method} ${route.path}`, handle: (exchange) => handler(exchange, segment) };
    }
    const allow = allowedMethods(route).join(', ');
    if (method === 'OPTIONS') return { name: 'other', handle: (exchange) => exchange.answer(204, { allow }) };
    return {
      name: 'other',
      handle: (exchange) =>
        exchange.answerJson(405, { code: 'unimplemented', message: `${route.path} takes ${allow}` }, { allow }),
    };
  }

  #match(path: string): { route: Route; segment: string } | undefined {
    const given = path.split('/');
    for (const { route, segments } of this.#routes) {
      if (segments.length !== given.length) continue;
      const wild = segments.findIndex((segment) => segment.startsWith('{'));
      if (segments.every((segment, i) => i === wild || segment === given[i])) {
        return { route, segment: wild < 0 ? '' : given[wild]! };
      }
    }
    return undefined;
  }
}

function allowedMethods(route: Route): string[] {
  const methods = Object.keys(route.methods);
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
}

function refuse(code: 'not_found', message: string): Found['handle'] {
  return () => {
    throw new CairnError(code, message);
  };
}
