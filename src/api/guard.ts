// Keeps web pages out of where a browser would let them in: of a server that listens on loopback only, and so may ask for no
// credentials, since a browser on the same machine reaches it for any page it shows; and of credentials that a browser adds by
// itself, passwords it remembers and certificates, wherever the server listens. A page of another site gives itself away by its Origin, or by
// Sec-Fetch-Site where it sends none (an embedded image); one whose name was re-pointed at 127.0.0.1 (DNS rebinding) by
// its Host. Programs that are not browsers pass.

import ipaddr from 'ipaddr.js';
import { CairnError } from '../base/errors.js';
import { rememberingHosts } from './authority.js';
import type { NodeRequest } from './request-listener.js';

export interface GuardParts {
  /** Host names that are ours beside the loopback ones, without port. */
  readonly allowedHosts: readonly string[];
  /** Origins whose pages may call, as configured; `*` for all. */
  readonly corsOrigins: readonly string[];
}

/** Says why a request is refused (`permission_denied`), or undefined for a good one. */
export type Guard = (request: Pick<NodeRequest, 'headers'>) => CairnError | undefined;

export function loopbackGuard({ allowedHosts, corsOrigins }: GuardParts): Guard {
  const ours = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const isGood = rememberingHosts((host) => isOurs(hostName(host), ours));
  const refuseForeign = originCheck(corsOrigins);

  return ({ headers }) => {
    // HTTP/2 clients send :authority and may send Host beside it: neither may be a stranger's.
    const hosts = [headers[':authority'], headers.host].filter((host) => host !== undefined) as string[];
    const [first] = hosts;
    if (first === undefined || !hosts.every(isGood)) {
      return new CairnError('permission_denied', `${JSON.stringify(first ?? '')} is no name of this loopback server`);
    }
    return refuseForeign(headers, first);
  };
}

export interface ExposedGuardParts extends Pick<GuardParts, 'corsOrigins'> {
  /** Whether clients are asked for certificates, which browsers present for every page. */
  readonly asksForCertificates: boolean;
}

/** For a server on other addresses. */
export function exposedGuard({ corsOrigins, asksForCertificates }: ExposedGuardParts): Guard {
  const refuseForeign = originCheck(corsOrigins);
  return ({ headers }) => {
    const { authorization } = headers;
    const isAmbient = authorization === undefined ? asksForCertificates : /^basic\b/i.test(authorization);
    return isAmbient ? refuseForeign(headers, String(headers[':authority'] ?? headers.host ?? '')) : undefined;
  };
}

/** Refuses pages of other origins than those configured and the server's own, as `host` names it. */
function originCheck(corsOrigins: readonly string[]) {
  const allowsEveryOrigin = corsOrigins.includes('*');
  return (headers: Parameters<Guard>[0]['headers'], host: string): CairnError | undefined => {
    const { origin } = headers;
    if (allowsEveryOrigin) return undefined;
    if (origin === undefined) {
      const site = headers['sec-fetch-site'];
      const embedded = (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate';
      return embedded
        ? new CairnError('permission_denied', 'pages of other sites may not call this server')
        : undefined;
    }
    if (corsOrigins.includes(origin) || isSameOrigin(origin, host)) return undefined;
    return new CairnError('permission_denied', `pages of ${origin} may not call this server`);
  };
}

/** Whether an address to listen on is reachable from this machine alone. */
export function isLoopback(host: string): boolean {
  if (/^(.*\.)?localhost\.?$/i.test(host)) return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}

function isOurs(name: string | undefined, ours: ReadonlySet<string>): boolean {
  return name !== undefined && (isLoopback(name) || ours.has(name));
}

/** The name in `name:port`, `[v6]:port` or either without port; undefined when it is malformed. */
function hostName(host: string): string | undefined {
  const url = parseUrl(`http://${host}`);
  if (url === undefined || url.username !== '' || url.pathname !== '/') return undefined;
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** Scheme aside: a proxy in front may have ended TLS. */
function isSameOrigin(origin: string, host: string): boolean {
  const page = parseUrl(origin);
  return page !== undefined && page.host === parseUrl(`${page.protocol}//${host}`)?.host;
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
