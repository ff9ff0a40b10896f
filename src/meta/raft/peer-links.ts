// The way to other nodes. Messages of the algorithm go to each over one stream, in order, as long as it holds; what does not
// fit into its queue, or is on its way when it breaks, is lost, which the algorithm expects. Other calls are made directly.
// A peer that vanished without a word would hold its connection for ever: where nothing has come from it for a while, what is
// to be sent goes over a new one.

import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { type Clock, sleep } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import { PeerService } from '../../gen/cairn/raft/v1/peer_service_pb.js';
import { type Message, messageBytes } from '../../raft/message.js';
import type { NodeId } from '../../raft/node-id.js';
import { raftMessage } from './raft-messages.js';

export interface PeerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface PeerLinksParts {
  readonly id: NodeId;
  /** Made anew by each process. */
  readonly incarnation: string;
  readonly groupId: () => string;
  /** Undefined for a node that is not known. */
  readonly addressOf: (id: NodeId) => string | undefined;
  readonly tls: PeerTls | undefined;
  readonly clock: Clock;
  /** A stream to a peer has ended, with what it said. */
  readonly onBroken: (to: NodeId, error: unknown) => void;
}

interface Connection {
  readonly client: Client<typeof PeerService>;
  close(): void;
}

export class PeerLinks {
  readonly #parts: PeerLinksParts;
  readonly #connections = new Map<string, Connection>();
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #closing = new AbortController();

  constructor(parts: PeerLinksParts) {
    this.#parts = parts;
  }

  /** Sends, or drops when it cannot. */
  send(message: Message): void {
    if (this.#closing.signal.aborted) return;
    const { to } = message;
    const address = this.#parts.addressOf(to);
    if (address === undefined) return;
    let link = this.#links.get(to);
    if (link?.address !== address) {
      link?.close();
      link = new PeerLink(this.#parts, to, address, () => this.clientAt(address));
      this.#links.set(to, link);
    }
    if (link.isSilent) {
      this.#connections.get(address)?.close();
      this.#connections.delete(address);
      link.restart();
    }
    link.send(message);
  }

  /** A message has come from this node, so it lives. */
  heard(from: NodeId): void {
    this.#links.get(from)?.heard();
  }

  clientAt(address: string): Client<typeof PeerService> {
    let connection = this.#connections.get(address);
    if (connection === undefined) {
      connection = connect(address, this.#parts.tls);
      this.#connections.set(address, connection);
    }
    return connection.client;
  }

  /** Forgets nodes that have left. */
  keep(ids: ReadonlySet<NodeId>): void {
    for (const [id, link] of this.#links) {
      if (ids.has(id)) continue;
      link.close();
      this.#links.delete(id);
    }
  }

  close(): void {
    this.#closing.abort();
    for (const link of this.#links.values()) link.close();
    for (const connection of this.#connections.values()) connection.close();
  }
}

function connect(address: string, tls: PeerTls | undefined): Connection {
  const baseUrl = `${tls === undefined ? 'http' : 'https'}://${address}`;
  const sessions = new Http2SessionManager(baseUrl, {}, tls);
  const transport = createGrpcTransport({ baseUrl, sessionManager: sessions });
  return { client: createClient(PeerService, transport), close: () => sessions.abort() };
}

/** One stream of messages at a time. */
class PeerLink {
  readonly address: string;
  readonly #parts: PeerLinksParts;
  readonly #to: NodeId;
  readonly #client: () => Client<typeof PeerService>;
  readonly #closing = new AbortController();
  /** Of the present stream. */
  #ending = new AbortController();
  #aliveAt: number;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #isRunning = false;
  #wake: () => void = () => {};

  constructor(parts: PeerLinksParts, to: NodeId, address: string, client: () => Client<typeof PeerService>) {
    this.#parts = parts;
    this.#to = to;
    this.address = address;
    this.#client = client;
    this.#aliveAt = parts.clock.monotonic();
  }

  /** The stream stands, and nothing has come from the peer for so long that it may have vanished. */
  get isSilent(): boolean {
    return this.#isRunning && this.#parts.clock.monotonic() - this.#aliveAt > limits.raftSilenceMilliseconds;
  }

  heard(): void {
    this.#aliveAt = this.#parts.clock.monotonic();
  }

  /** What waits goes over a new stream. */
  restart(): void {
    this.heard();
    this.#ending.abort();
    this.#wake();
  }

  send(message: Message): void {
    const bytes = messageBytes(message);
    if (this.#closing.signal.aborted || this.#queuedBytes + bytes > limits.raftPeerQueueBytesMax) return;
    this.#queue.push(message);
    this.#queuedBytes += bytes;
    this.#wake();
    if (!this.#isRunning) void this.#run();
  }

  close(): void {
    this.#closing.abort();
    this.#ending.abort();
    this.#wake();
  }

  /** Streams, as long as there is something to send. Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    while (!this.#closing.signal.aborted && this.#queue.length > 0) {
      this.#ending = new AbortController();
      const { signal } = this.#ending;
      this.heard();
      try {
        await this.#client().exchange(this.#requests(signal), { signal });
      } catch (error) {
        if (!signal.aborted) {
          this.#parts.onBroken(this.#to, error);
          // What is old by the time the peer can be reached again only keeps it from what is new.
          this.#queue = [];
          this.#queuedBytes = 0;
        }
      }
      this.#ending.abort();
      await sleep(this.#parts.clock, limits.raftReconnectMilliseconds);
    }
    this.#isRunning = false;
  }

  async *#requests(signal: AbortSignal) {
    const { id, incarnation, groupId } = this.#parts;
    yield { hail: { from: BigInt(id), to: BigInt(this.#to), groupId: groupId(), incarnation } };
    while (!signal.aborted) {
      if (this.#queue.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      yield { messages: this.#take().map(raftMessage) };
    }
  }

  /** The next messages, as many as go into one request. */
  #take(): Message[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && (count === 0 || bytes < limits.raftMessageBytesMax)) {
      bytes += messageBytes(this.#queue[count++]!);
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }
}
