// cairn serve: the server, until SIGTERM or Ctrl-C; then calls under way may end. A second signal does not wait.

import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import {
  defaultWorkers,
  parseBytes,
  parseChunking,
  parseFounders,
  parseListenAddress,
  parseNodeName,
  parseOrigin,
  parsePeerAddress,
  type RaftConfig,
  type ServerConfig,
  serverConfig,
} from '../server/config.js';
import type { RunningServer } from '../server/server.js';
import { exitCodeFor, exitCodes } from './exit-codes.js';
import { parseCount } from './format.js';

type Settings = { -readonly [Name in keyof ServerConfig]?: ServerConfig[Name] };

/** What commander makes of the command line: settings by the flags' names. */
interface ServeFlags
  extends Omit<Settings, 'corsOrigins' | 'allowedHosts' | 'drainMilliseconds' | 'indexMemoryBytes' | 'tls' | 'raft'>,
    RaftFlags {
  allowRegistration?: NonNullable<ServerConfig['registrationRole']>;
  tlsCert?: string;
  tlsKey?: string;
  tlsClientCa?: string;
  corsOrigin?: readonly string[];
  allowHost?: readonly string[];
  drainSeconds?: number;
  indexMemory?: number;
}

interface RaftFlags {
  peerListen?: RaftConfig['listen'];
  peerAdvertise?: string;
  peers?: RaftConfig['founders'];
  join?: readonly string[];
  peerTlsCert?: string;
  peerTlsKey?: string;
  peerTlsCa?: string;
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
  option('--data <directory>', `where blobs are kept (default: ${defaults.data})`, nonEmpty);
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
  option('--node-id <name>', `what this node is called (default: ${defaults.nodeId})`, parseNodeName);
  choice('--meta <engine>', `where the metadata lives (default: ${defaults.meta})`, ['level', 'raft', 'etcd']);
  choice('--role <role>', `what this node does in its cluster (default: ${defaults.role})`, ['master', 'both']);
  option(
    '--peer-listen <address>',
    'where the other nodes of a raft group come in (default: 127.0.0.1:9100)',
    parsePeerAddress,
  );
  command.option(
    '--peer-advertise <address>',
    'where they reach this node (default: as in --peers, or where it listens)',
  );
  option('--peers <list>', 'NAME=HOST:PORT,… of all who found a raft group, this node included', parseFounders);
  repeated('--join <address>', 'join the raft group of the node at this address; repeatable', addressText);
  command.option('--peer-tls-cert <file>', "this node's certificate for other nodes, with OU=node, in PEM");
  command.option('--peer-tls-key <file>', 'its private key');
  command.option('--peer-tls-ca <file>', "the authority of all nodes' certificates");
  repeated('--etcd <url>', `a member of the etcd cluster; repeatable (default: ${defaults.etcd[0]})`, (text) => text);
  command.option('--etcd-prefix <text>', `what keys in etcd begin with (default: ${defaults.etcdPrefix})`);
  repeated('--cors-origin <origin>', 'let pages of this origin call; * for all; repeatable', parseOrigin);
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
  choice(
    '--transport-tokens <use>',
    `whether moving blobs takes a token of GetTransportDetails (default: ${defaults.transportTokens})`,
    ['optional', 'required'],
  );
  option('--negotiate-concurrency <count>', 'look-ups at once for one question (default: CPUs)', positive);
  option('--recommended-concurrency <count>', 'transfers clients are advised to run (default: CPUs)', positive);
  option(
    '--workers <count>',
    'threads that take connections and move blobs; 0: the one thread does all (default: CPUs, 4 at most)',
    (text) => parseCount(text, 'the count'),
  );
  command.option('--no-lane', 'serve uploads and downloads by the stock RPC handler, which is slower');
  option('--drain-seconds <count>', 'time for calls under way when stopping (default: 10)', drainSeconds);
  const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
  choice(
    '--log-level <level>',
    `what is logged, each level with those before it (default: ${defaults.logLevel})`,
    levels,
  );
  command.action(serve);
}

async function serve(flags: ServeFlags): Promise<void> {
  const {
    corsOrigin,
    allowHost,
    drainSeconds: seconds,
    indexMemory,
    allowRegistration,
    tlsCert,
    tlsKey,
    tlsClientCa,
    peerListen,
    peerAdvertise,
    peers,
    join,
    peerTlsCert,
    peerTlsKey,
    peerTlsCa,
    ...settings
  } = flags;
  const raft = raftConfig({ peerListen, peerAdvertise, peers, join, peerTlsCert, peerTlsKey, peerTlsCa });
  if ((tlsCert === undefined) !== (tlsKey === undefined) || (tlsClientCa !== undefined && tlsCert === undefined)) {
    process.stderr.write('cairn: TLS needs both --tls-cert and --tls-key\n');
    process.exit(exitCodes.usage);
  }
  const config = serverConfig({
    workers: defaultWorkers(),
    ...settings,
    raft,
    ...(allowRegistration && { registrationRole: allowRegistration }),
    ...(tlsCert && tlsKey && { tls: { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa } }),
    ...(corsOrigin && { corsOrigins: corsOrigin }),
    ...(allowHost && { allowedHosts: allowHost }),
    ...(indexMemory !== undefined && { indexMemoryBytes: indexMemory }),
    ...(seconds !== undefined && { drainMilliseconds: seconds * 1000 }),
  });
  const signal = stopSignal();
  let server: RunningServer | undefined;
  // A node that waits for the others of its group has answered nobody yet.
  void signal.then(() => {
    if (server === undefined) process.exit(exitCodes.ok);
  });
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
  // Without certificates it means what it always means: the terminal is gone.
  if (config.tls !== undefined) process.on('SIGHUP', () => void server.reloadCertificates());
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

/** The defaults where a flag is not given. */
function raftConfig(flags: { readonly [Name in keyof RaftFlags]: RaftFlags[Name] | undefined }): RaftConfig {
  const { raft } = serverConfig();
  const { peerTlsCert: cert, peerTlsKey: key, peerTlsCa: ca } = flags;
  const given = [cert, key, ca].filter((file) => file !== undefined).length;
  if (given === 1 || given === 2) {
    process.stderr.write('cairn: TLS between nodes needs --peer-tls-cert, --peer-tls-key and --peer-tls-ca\n');
    process.exit(exitCodes.usage);
  }
  return {
    listen: flags.peerListen ?? raft.listen,
    founders: flags.peers ?? raft.founders,
    join: flags.join ?? raft.join,
    advertise: flags.peerAdvertise,
    tls: cert && key && ca ? { cert, key, ca } : undefined,
  };
}

/** Checked here, and kept as it is. */
function addressText(text: string): string {
  parsePeerAddress(text);
  return text;
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

function nonEmpty(text: string): string {
  if (text === '') throw new CairnError('invalid_argument', 'it is empty');
  return text;
}

function drainSeconds(text: string): number {
  const seconds = parseCount(text, 'time');
  if (seconds <= limits.drainSecondsMax) return seconds;
  throw new CairnError('invalid_argument', `at most ${limits.drainSecondsMax}`);
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
