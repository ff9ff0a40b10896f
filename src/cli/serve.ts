// cairn serve: the server, until SIGTERM or Ctrl-C; then calls under way may end. A second signal does not wait.

import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CairnError } from '../base/errors.js';
import { parseBytes, parseChunking, parseListenAddress, type ServerConfig, serverConfig } from '../server/config.js';
import type { RunningServer } from '../server/server.js';
import { exitCodeFor, exitCodes } from './exit-codes.js';
import { parseCount } from './format.js';

type Settings = { -readonly [Name in keyof ServerConfig]?: ServerConfig[Name] };

/** What commander makes of the command line: settings by the flags' names. */
interface ServeFlags
  extends Omit<Settings, 'corsOrigins' | 'allowedHosts' | 'drainMilliseconds' | 'indexMemoryBytes' | 'tls'> {
  allowRegistration?: NonNullable<ServerConfig['registrationRole']>;
  tlsCert?: string;
  tlsKey?: string;
  tlsClientCa?: string;
  corsOrigin?: readonly string[];
  allowHost?: readonly string[];
  drainSeconds?: number;
  indexMemory?: number;
}

export function addServeCommand(program: Command): void {
  const defaults = serverConfig();
  const command = program.command('serve').description('run a server until SIGTERM or Ctrl-C');
  const option = (flags: string, text: string, read: (value: string) => unknown) =>
    command.option(flags, text, refusing(read));
  const choice = (flags: string, text: string, choices: readonly string[]) =>
    command.addOption(new Option(flags, text).choices(choices));
  const repeated = (flags: string, text: string, read: (value: string) => unknown) =>
    command.option(flags, text, (value: string, before?: unknown[]) => [...(before ?? []), refusing(read)(value)]);

  repeated(
    '--listen <address>',
    '[face=]HOST:PORT, face grpc or http; repeatable (default: 127.0.0.1:9000)',
    parseListenAddress,
  );
  command.option('--data <directory>', `where blobs are kept (default: ${defaults.data})`);
  choice('--durability <level>', `what an answered write has reached (default: ${defaults.durability})`, [
    'disk',
    'memory',
  ]);
  option(
    '--index-memory <size>',
    'memory for where blobs are, 64 bytes each; beyond it the disk is asked (default: 1GiB)',
    parseBytes,
  );
  option(
    '--chunking <kind>',
    'how files are cut: fastcdc[:AVERAGE] or fixed[:SIZE] (default: fastcdc:512KiB)',
    parseChunking,
  );
  option('--advertise <ip:port>', 'where clients are sent for blobs (default: where they came in)', parseEndpoint);
  command.option('--node-id <name>', `what this node is called (default: ${defaults.nodeId})`);
  choice('--meta <engine>', `where the metadata lives (default: ${defaults.meta})`, ['level', 'etcd']);
  repeated('--etcd <url>', `a member of the etcd cluster; repeatable (default: ${defaults.etcd[0]})`, (text) => text);
  command.option('--etcd-prefix <text>', `what keys in etcd begin with (default: ${defaults.etcdPrefix})`);
  repeated('--cors-origin <origin>', 'let pages of this origin call; * for all; repeatable', (text) => text);
  repeated('--allow-host <name>', 'answer to this Host on loopback too, as behind a proxy; repeatable', (text) => text);
  command.option('--insecure', 'without accounts, serve addresses other than loopback to everybody who can reach them');
  command.option('--tls-cert <file>', 'serve by TLS, with this certificate and those above it, in PEM');
  command.option('--tls-key <file>', 'its private key');
  command.option('--tls-client-ca <file>', 'let in only clients with a certificate of these authorities');
  command.addOption(
    new Option('--allow-registration [role]', 'let people make accounts for themselves (default role: reader)')
      .choices(['reader', 'writer'])
      .preset('reader'),
  );
  choice('--transport-tokens <use>', `(default: ${defaults.transportTokens})`, ['optional', 'required']);
  option('--negotiate-concurrency <count>', 'look-ups at once for one question (default: CPUs)', positive);
  option('--recommended-concurrency <count>', 'transfers clients are advised to run (default: CPUs)', positive);
  option('--workers <count>', 'threads that take connections and move blobs (default: 0, the one does all)', (text) =>
    parseCount(text, 'the count'),
  );
  command.option('--no-lane', 'serve uploads and downloads by the stock RPC handler, which is slower');
  option('--drain-seconds <count>', 'time for calls under way when stopping (default: 10)', (text) =>
    parseCount(text, 'time'),
  );
  const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
  choice('--log-level <level>', `(default: ${defaults.logLevel})`, levels);
  command.action(serve);
}

async function serve(flags: ServeFlags): Promise<void> {
  const {
    corsOrigin,
    allowHost,
    drainSeconds,
    indexMemory,
    allowRegistration,
    tlsCert,
    tlsKey,
    tlsClientCa,
    ...settings
  } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined) || (tlsClientCa !== undefined && tlsCert === undefined)) {
    process.stderr.write('cairn: TLS needs both --tls-cert and --tls-key\n');
    process.exit(exitCodes.usage);
  }
  const config = serverConfig({
    ...settings,
    ...(allowRegistration && { registrationRole: allowRegistration }),
    ...(tlsCert && tlsKey && { tls: { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa } }),
    ...(corsOrigin && { corsOrigins: corsOrigin }),
    ...(allowHost && { allowedHosts: allowHost }),
    ...(indexMemory !== undefined && { indexMemoryBytes: indexMemory }),
    ...(drainSeconds !== undefined && { drainMilliseconds: drainSeconds * 1000 }),
  });
  const signal = stopSignal();
  let server: RunningServer;
  try {
    // Loaded here, so that the other commands do not wait for a server they do not start.
    const { startServer } = await import('../server/server.js');
    server = await startServer(config);
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    process.stderr.write(`cairn: ${error.message}\n`);
    // No server was there to be reached: that is this command's own failure.
    process.exit(error.code === 'unavailable' ? exitCodes.failed : exitCodeFor(error));
  }
  process.on('SIGHUP', () => void server.reloadCertificates());
  for (const { url } of server.listeners) process.stdout.write(`listening on ${url}\n`);
  process.stderr.write(hint(server));
  const failure = await Promise.race([signal, server.failed]);
  if (failure instanceof Error) {
    process.stderr.write(`cairn: ${failure.message}\n`);
    process.exit(exitCodes.failed);
  }
  try {
    await server.close();
    process.exit(exitCodes.ok);
  } catch (error) {
    process.stderr.write(`cairn: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(exitCodes.failed);
  }
}

/** Resolves with the first signal; the second ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (code: number) => () => {
      if (stopping) process.exit(code);
      stopping = true;
      resolve();
    };
    process.on('SIGINT', stop(exitCodes.interrupted));
    process.on('SIGTERM', stop(exitCodes.terminated));
    // Whoever read the first line may be gone; the server goes on.
    process.stdout.on('error', () => {});
  });
}

function hint({ listeners }: RunningServer): string {
  const http = listeners.find(({ face }) => face !== 'grpc')?.url;
  const grpc = listeners.find(({ face }) => face !== 'http')?.url;
  const server = grpc === undefined || grpc === 'http://127.0.0.1:9000' ? '' : ` --server ${grpc}`;
  const lines = [
    grpc && `  bin/cairn put README.md${server}`,
    grpc && `  bin/cairn ls${server}`,
    http && `  curl --data-binary @README.md ${http}/blobs`,
  ];
  return `Try, from another terminal:\n${lines.filter(Boolean).join('\n')}\n`;
}

/** A value our own parsers refuse, in commander's terms. */
function refusing(read: (value: string) => unknown): (value: string) => unknown {
  return (value) => {
    try {
      return read(value);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof CairnError ? error.message : String(error));
    }
  };
}

function positive(text: string): number {
  const count = parseCount(text, 'the count');
  if (count === 0) throw new CairnError('invalid_argument', 'one at least');
  return count;
}

function parseEndpoint(text: string): ServerConfig['advertise'] {
  const { host, port } = parseListenAddress(text);
  if (isIP(host) === 0) throw new CairnError('invalid_argument', `${JSON.stringify(host)} is no IP address`);
  return { ip: host, port };
}
