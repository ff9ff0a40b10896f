// Which guard stands at an address: on loopback, and where other machines come in.

import { exposedGuard, type Guard, isLoopback, loopbackGuard } from '../api/guard.js';
import type { ServerConfig } from './config.js';

export function guardsFor({
  allowedHosts,
  corsOrigins,
  tls,
}: Pick<ServerConfig, 'allowedHosts' | 'corsOrigins' | 'tls'>): (host: string) => Guard {
  const onLoopback = loopbackGuard({ allowedHosts, corsOrigins });
  const exposed = exposedGuard({ corsOrigins, asksForCertificates: tls?.clientCa !== undefined });
  return (host) => (isLoopback(host) ? onLoopback : exposed);
}
