// What a server can be told, and every default. Nothing below this room has defaults of its own.

import { availableParallelism } from 'node:os';
import type { Role } from '../api/auth/principal.js';
import type { BlobStore, Durability } from '../base/blob-store.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Chunking, createCutter, defaultChunking } from '../chunk/chunking.js';
import { canPassSockets } from './socket-pipe.js';

/** The part of the interface a listener offers; `all` is the ordinary port with everything on it. */
export type Face = 'all' | 'grpc' | 'http';

export interface ListenAddress {
  readonly face: Face;
  /** A name or an IP literal, IPv6 without brackets. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** Paths of files in PEM. */
export interface TlsFiles {
  /** The certificate, with those between it and its authority behind it. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients' certificates; undefined: clients need none. */
  readonly clientCa: string | undefined;
}

/** How a node meets the others that keep the metadata with it. */
export interface RaftConfig {
  /** Where other nodes come in. */
  readonly listen: PeerAddress;
  /** Who founds a group together, by their node ids, this node included; empty: this node alone. Of no meaning later. */
  readonly founders: readonly { readonly name: string; readonly address: string }[];
  /** Members of a group to join instead of founding one. */
  readonly join: readonly string[];
  /** What others reach this node at: the address among the founders, or where it listens, when undefined. */
  readonly advertise: string | undefined;
  /** Mutual TLS between nodes; undefined: in plain text. */
  readonly tls: PeerTlsFiles | undefined;
}

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** Paths of files in PEM: this node's certificate and key, and the authority of all nodes' certificates. */
export interface PeerTlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface ServerConfig {
  readonly listen: readonly ListenAddress[];
  /** Directory of the store and its metadata; made when it is missing. */
  readonly data: string;
  /** What this node is called among the nodes of its cluster. */
  readonly nodeId: string;
  /** What this node does in its cluster: metadata and the faces; blobs, too. */
  readonly role: 'master' | 'both';
  /** Where the metadata lives: in `data`; with a group of nodes (`raft`); in the etcd cluster whose members are at `etcd`. */
  readonly meta: 'level' | 'raft' | 'etcd';
  readonly raft: RaftConfig;
  readonly etcd: readonly string[];
  /** What the keys of this cluster begin with in etcd. */
  readonly etcdPrefix: string;
  /** What an answered write has reached. */
  readonly durability: Durability;
  /** How files are cut into chunks. Those that are stored already stay as they are. */
  readonly chunking: Chunking;
  /** Memory for where blobs are, about 64 bytes for each; beyond it the disk is asked. */
  readonly indexMemoryBytes: number;
  /** Pause between rounds of what the store does by itself: writing its index, compacting its log. */
  readonly maintenanceIntervalMilliseconds: number;
  /** Slices of one question about missing blobs that are looked up at once. */
  readonly negotiateConcurrency: number;
  /** Move blobs by the lane; otherwise by the stock handler, which answers the same and is slower. */
  readonly lane: boolean;
  /** Threads that take connections and move blobs; 0: the one thread does all. */
  readonly workers: number;
  /** How many transfers a client is advised to run at once. */
  readonly recommendedConcurrency: number;
  /** Whether moving blobs needs a token from GetTransportDetails. */
  readonly transportTokens: 'optional' | 'required';
  /** IP literal and port that clients are sent to for blobs; undefined: where their connection came in. */
  readonly advertise: { readonly ip: string; readonly port: number } | undefined;
  /** Origins whose pages may call this server; `*` for all. */
  readonly corsOrigins: readonly string[];
  /** Host names beside the loopback ones that a server bound to loopback answers to, as behind a proxy. */
  readonly allowedHosts: readonly string[];
  /** Serve every address by TLS, with certificates from these files; undefined: in plain text. */
  readonly tls: TlsFiles | undefined;
  /** What those may do who make accounts for themselves; undefined: nobody can. */
  readonly registrationRole: Role | undefined;
  /** Without accounts, serve on other addresses than loopback to everybody who can reach them. */
  readonly insecure: boolean;
  readonly logLevel: LogLevel;
  /** Time for calls under way after the server was asked to stop. */
  readonly drainMilliseconds: number;
  /** A store to serve instead of the one in `data`. The server closes it. */
  readonly store: BlobStore | undefined;
}

/** The given settings, with defaults for the rest. */
export function serverConfig(settings: Partial<ServerConfig> = {}): ServerConfig {
  return {
    listen: [{ face: 'all', host: '127.0.0.1', port: 9000 }],
    data: './cairn-data',
    nodeId: 'node-1',
    role: 'both',
    raft: {
      listen: { host: '127.0.0.1', port: 9100 },
      founders: [],
      join: [],
      advertise: undefined,
      tls: undefined,
    },
    meta: 'level',
    etcd: ['http://127.0.0.1:2379'],
    etcdPrefix: 'cairn/',
    durability: 'disk',
    chunking: defaultChunking,
    indexMemoryBytes: 2 ** 30,
    maintenanceIntervalMilliseconds: 5000,
    negotiateConcurrency: availableParallelism(),
    lane: true,
    workers: 0,
    recommendedConcurrency: availableParallelism(),
    transportTokens: 'optional',
    advertise: undefined,
    corsOrigins: [],
    allowedHosts: [],
    tls: undefined,
    registrationRole: undefined,
    insecure: false,
    logLevel: 'info',
    drainMilliseconds: 10_000,
    store: undefined,
    ...settings,
  };
}

/**
 * Worker threads of a server that runs by itself and was not told how many: as many as the machine has processors, when it has
 * more than one. None where Node cannot hand them connections.
 */
export function defaultWorkers(processors: number = availableParallelism()): number {
  return processors > 1 && canPassSockets() ? Math.min(processors, limits.defaultWorkersCountMax) : 0;
}

const addressPattern = /^(?:(?<face>[a-z]+)=)?(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]=]+)):(?<port>\d{1,5})$/;

/** Reads `[face=]HOST:PORT`, with IPv6 as `[::1]:9000`. `invalid_argument` for anything else. */
export function parseListenAddress(text: string): ListenAddress {
  const found = addressPattern.exec(text)?.groups;
  const face = found?.face ?? 'all';
  const host = found?.ipv6 ?? found?.host;
  const port = Number(found?.port);
  if (host === undefined || port > 65_535 || (face !== 'all' && face !== 'grpc' && face !== 'http')) {
    throw new CairnError(
      'invalid_argument',
      `${JSON.stringify(text)} is no address to listen on: expected HOST:PORT, [IPV6]:PORT, grpc=HOST:PORT or http=HOST:PORT`,
    );
  }
  return { face, host, port };
}

/** Chunks of a fixed length when no other is named. */
const fixedChunkBytes = 64 * 2 ** 20;

/** Reads `fastcdc` or `fixed`, with an average length or a length behind a colon if need be. `invalid_argument` otherwise. */
export function parseChunking(text: string): Chunking {
  const found = /^(fastcdc|fixed)(?::(\d{1,15})(KiB|MiB|GiB)?)?$/.exec(text);
  if (found === null) {
    throw new CairnError(
      'invalid_argument',
      `${JSON.stringify(text)} is no way to cut files: expected fastcdc, fastcdc:512KiB, fixed or fixed:64MiB`,
    );
  }
  const [, kind, count, unit] = found;
  const bytes = count === undefined ? undefined : Number(count) * unitBytes[(unit ?? '') as keyof typeof unitBytes];
  const chunking: Chunking =
    kind === 'fixed'
      ? { kind, chunkBytes: bytes ?? fixedChunkBytes }
      : { ...defaultChunking, ...(bytes !== undefined && { averageBytes: bytes }) };
  createCutter(chunking);
  return chunking;
}

/** Reads a number of bytes, with a binary unit if need be: `512MiB`. `invalid_argument` for anything else. */
export function parseBytes(text: string): number {
  const [, count, unit] = /^(\d{1,9})(KiB|MiB|GiB)?$/.exec(text) ?? [];
  if (count === undefined) {
    throw new CairnError(
      'invalid_argument',
      `${JSON.stringify(text)} is no size: expected a number, or one like 512MiB`,
    );
  }
  return Number(count) * unitBytes[(unit ?? '') as keyof typeof unitBytes];
}

const unitBytes = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Reads an origin as browsers write it, or `*`. `invalid_argument` for what no browser ever sends. */
export function parseOrigin(text: string): string {
  const isWeb = /^https?:/i.test(text);
  const isOrigin = isWeb
    ? URL.canParse(text) && new URL(text).origin === text
    : /^(?:\*|null|[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+)$/.test(text);
  if (isOrigin) return text;
  throw new CairnError(
    'invalid_argument',
    `${JSON.stringify(text)} is no origin as browsers write it: expected https://HOST, https://HOST:PORT or *`,
  );
}

/** What a node may be called. `invalid_argument` for anything else. */
export function parseNodeName(text: string): string {
  if (/^[\w.-]+$/.test(text)) return text;
  throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no name of a node`);
}

/** Reads `HOST:PORT`, with IPv6 as `[::1]:9100`. `invalid_argument` for anything else. */
export function parsePeerAddress(text: string): PeerAddress {
  const { face, host, port } = parseListenAddress(text);
  if (face !== 'all') throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no HOST:PORT`);
  return { host, port };
}

/** Reads `NAME=HOST:PORT,…`. `invalid_argument` for anything else. */
export function parseFounders(text: string): RaftConfig['founders'] {
  const founders = text.split(',').map((one) => {
    const [name = '', address = ''] = one.split('=');
    parsePeerAddress(address);
    return { name: parseNodeName(name), address };
  });
  if (new Set(founders.map(({ name }) => name)).size < founders.length) {
    throw new CairnError('invalid_argument', 'a node is among the peers twice');
  }
  return founders;
}
