// A server's life: compose, listen, drain, close. Whatever was opened is closed again when a later step fails.

import type { Accounts } from '../api/auth/accounts.js';
import { isLoopback } from '../api/guard.js';
import { createPort, type Port } from '../api/port.js';
import { type Certificates, createTlsEnd, type TlsEnd } from '../api/tls-end.js';
import { type Clock, sleep, systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { systemRandom } from '../base/random.js';
import { CertificateFiles } from './certificate-files.js';
import { type Composition, compose } from './compose.js';
import type { Face, ListenAddress, ServerConfig, TlsFiles } from './config.js';
import { createLogger } from './logger.js';

export interface RunningServer {
  /** What it listens on, with the ports it was given, in the order of the configuration. */
  readonly listeners: readonly { readonly face: Face; readonly url: string }[];
  /**
   * Drains and stops: reports not serving, accepts nothing more, lets calls under way end up to the drain timeout, breaks
   * off the rest, closes the store. May be called again.
   */
  close(): Promise<void>;
  /** Reads the files of the certificates anew, where there are any. Never rejects: what is wrong with them is logged. */
  reloadCertificates(): Promise<void>;
}

/** Pause between looks for connections that have come to rest while draining. */
const drainStepMilliseconds = 20;

/**
 * Resolves when every address is being served. `failed_precondition` for an address that is not loopback without
 * `insecure`, `unavailable` for one that cannot be had; and whatever opening the store fails with.
 */
export async function startServer(config: ServerConfig): Promise<RunningServer> {
  const clock = systemClock;
  const logger = createLogger(config.logLevel);
  const ports: Port[] = [];
  const connections = () => ports.reduce((sum, port) => sum + port.connections(), 0);
  const listeners: { face: Face; url: string }[] = [];
  const address = () => listeners[0]?.url.replace(/^https?:\/\//, '') ?? '';
  const composition = await compose({ config, logger, clock, random: systemRandom, connections, address });

  let tls: Awaited<ReturnType<typeof openTls>> | undefined;
  try {
    refuseExposure(config, composition.accounts);
    tls = config.tls && (await openTls(config.tls, clock, logger));
    for (const address of config.listen) {
      const port = createPort({ ...composition.listenersFor(address), tls: tls?.end, clock });
      const bound = await listen(port, address);
      ports.push(port);
      listeners.push({ face: address.face, url: urlOf(config, address.host, bound) });
    }
  } catch (error) {
    tls?.files.close();
    await stop(composition, ports, clock, 0);
    throw error;
  }
  logger.info({ listeners }, 'listening');

  let closing: Promise<void> | undefined;
  return {
    listeners,
    reloadCertificates: async () => tls?.files.reload(),
    close() {
      tls?.files.close();
      closing ??= stop(composition, ports, clock, config.drainMilliseconds).then(() => logger.info('closed'));
      return closing;
    },
  };
}

async function openTls(tlsFiles: TlsFiles, clock: Clock, logger: ReturnType<typeof createLogger>) {
  let end: TlsEnd | undefined;
  const onChange = (changed: Certificates) => end?.setCertificates(changed);
  const { files, certificates } = await CertificateFiles.open({ files: tlsFiles, clock, logger, onChange });
  end = createTlsEnd(certificates);
  return { end, files };
}

/** Without accounts, who can reach the server can read and delete: that must be asked for. */
function refuseExposure({ listen, insecure, data }: ServerConfig, accounts: Pick<Accounts, 'exist'>): void {
  const exposed = listen.find(({ host }) => !isLoopback(host));
  if (exposed === undefined || insecure || accounts.exist()) return;
  throw new CairnError(
    'failed_precondition',
    `${exposed.host} can be reached from other machines, and there are no accounts: make one with ` +
      `cairn user add NAME --role admin --data ${data}, or listen on 127.0.0.1, or say --insecure to serve everybody`,
  );
}

async function listen(port: Port, { host, port: wanted }: ListenAddress): Promise<number> {
  try {
    return (await port.listen({ host, port: wanted })).port;
  } catch (cause) {
    throw new CairnError('unavailable', `cannot listen on ${host} port ${wanted}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function urlOf({ tls }: Pick<ServerConfig, 'tls'>, host: string, port: number): string {
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function stop(composition: Composition, ports: readonly Port[], clock: Clock, milliseconds: number) {
  const { serving, shutdown, http } = composition;
  serving.drain();
  let allClosed = false;
  for (const port of ports) port.drain();
  const closed = Promise.all(ports.map((port) => port.closed())).then(() => {
    allClosed = true;
  });
  const drainUntil = async (deadline: number) => {
    while (!allClosed && clock.monotonic() < deadline) {
      await Promise.race([closed, sleep(clock, drainStepMilliseconds)]);
      for (const port of ports) port.drain();
    }
  };
  await drainUntil(clock.monotonic() + milliseconds);
  shutdown.abort(new CairnError('unavailable', 'the server is stopping'));
  await drainUntil(clock.monotonic() + Math.min(milliseconds, limits.lastWordsMillisecondsMax));
  for (const port of ports) port.destroy();
  await closed;
  await http.settled();
  await composition.close();
}
