// Where a request is directed to, in the spellings that clients have for it. Node's HTTP/2 client, and so our own, names a
// server by its IPv6 address without brackets: `::1:9000`. No URL can be made of that, so it is put right before anybody
// reads it. And whoever takes us for a proxy sends the whole URL.

import { limits } from '../base/limits.js';
import type { NodeRequest } from './request-listener.js';

const bareIpv6 = /^([0-9a-f]*:[0-9a-f:.]*):(\d+)$/i;

/** Puts the brackets into `:authority` and Host where they are missing. */
export function mendAuthority({ headers }: Pick<NodeRequest, 'headers'>): void {
  for (const name of [':authority', 'host']) {
    const value = headers[name];
    if (typeof value === 'string' && bareIpv6.test(value)) headers[name] = value.replace(bareIpv6, '[$1]:$2');
  }
}

const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/is;

/** Makes of a whole URL (RFC 9112 section 3.2.2) the path in it. The host in it counts, not the one beside it. */
export function mendTarget(request: Pick<NodeRequest, 'headers' | 'url'>): void {
  if (request.url?.startsWith('/') !== false) return;
  const [, host, rest] = absoluteForm.exec(request.url) ?? [];
  if (host === undefined || rest === undefined) return;
  request.headers.host = host;
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
}

/** Remembers, for a bounded number of hosts, that a slow question about them was answered with yes. */
export function rememberingHosts(ask: (host: string) => boolean): (host: string) => boolean {
  const known = new Set<string>();
  return (host) => {
    if (known.has(host)) return true;
    if (!ask(host)) return false;
    if (known.size >= limits.hostsRememberedCountMax) known.clear();
    known.add(host);
    return true;
  };
}

/** Whether a URL can be made of a host and its port. */
export const isHost = rememberingHosts((host) => URL.canParse(`http://${host}`));
