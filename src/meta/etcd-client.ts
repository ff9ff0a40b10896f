// Calls to an etcd cluster, one member at a time: where one does not answer, the next is asked. A call that may have taken
// effect is not made again, so a write whose connection breaks fails with `unavailable`; one that was never sent, and reads,
// are. Connections are pinged, since a peer that vanished without a word would hold calls for ever.
//
// https://… endpoints are checked against the authorities Node knows (NODE_EXTRA_CA_CERTS adds to them). etcd's own users and
// passwords are not spoken: an etcd with authentication refuses with `invalid_argument` or `permission_denied`.

import { setMaxListeners } from 'node:events';
import { type CallOptions, type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { type Clock, sleep } from '../base/clock.js';
import { CairnError, type ErrorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { wasNeverSent } from '../base/never-sent.js';
import { Cluster, KV, Maintenance, Watch } from '../gen/etcd/etcdserverpb_pb.js';

export interface EtcdConnection {
  readonly url: string;
  /** For answers of any size, and for those that are a page. */
  readonly kv: Client<typeof KV>;
  readonly pages: Client<typeof KV>;
  readonly watch: Client<typeof Watch>;
  readonly cluster: Client<typeof Cluster>;
  readonly maintenance: Client<typeof Maintenance>;
  close(): void;
}

type Call<T> = (connection: EtcdConnection, options: CallOptions) => Promise<T>;

export class EtcdClient {
  readonly #endpoints: readonly string[];
  readonly #clock: Clock;
  readonly #connections = new Map<string, EtcdConnection>();
  readonly #closing = new AbortController();
  #current = 0;

  /** `invalid_argument` for an endpoint that is no http or https URL. */
  constructor(endpoints: readonly string[], clock: Clock) {
    if (endpoints.length === 0) throw new CairnError('invalid_argument', 'etcd needs an endpoint');
    this.#endpoints = endpoints.map(checkEndpoint);
    this.#clock = clock;
    // Every call listens for the end of all.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Aborted when the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** To the member that is asked at present. */
  get connection(): EtcdConnection {
    return this.connectionTo(this.#endpoints[this.#current % this.#endpoints.length]!);
  }

  connectionTo(url: string): EtcdConnection {
    this.refuseWhenClosed();
    const connection = this.#connections.get(url) ?? connect(url);
    this.#connections.set(url, connection);
    return connection;
  }

  /** Asks the next member from now on, unless somebody has turned away from this one already. */
  leave(connection: EtcdConnection): void {
    if (!this.closing.aborted && connection === this.connection) this.#current += 1;
  }

  /** A call that changes nothing, or can be made twice. */
  read<T>(call: Call<T>): Promise<T> {
    return this.#attempt(call, ({ code }) => code === 'unavailable' || code === 'timeout');
  }

  write<T>(call: Call<T>): Promise<T> {
    return this.#attempt(call, (error) => wasNeverSent(error));
  }

  /** Waits before the next attempt after so many failures. */
  pause(failures: number): Promise<void> {
    const { kvRetryMillisecondsMin: min, kvRetryMillisecondsMax: max } = limits;
    return sleep(this.#clock, Math.min(max, min * 2 ** Math.min(failures, 16)));
  }

  refuseWhenClosed(): void {
    if (this.closing.aborted) throw new CairnError('unavailable', 'the metadata is closed');
  }

  close(): void {
    this.#closing.abort();
    for (const connection of this.#connections.values()) connection.close();
  }

  async #attempt<T>(call: Call<T>, mayRepeat: (error: CairnError) => boolean): Promise<T> {
    const deadline = this.#clock.monotonic() + limits.etcdCallMillisecondsMax;
    for (let failures = 0; ; failures++) {
      const { connection } = this;
      try {
        return await call(connection, { timeoutMs: limits.etcdAttemptMillisecondsMax, signal: this.closing });
      } catch (error) {
        this.refuseWhenClosed();
        const failure = etcdError(error);
        if (failure.code === 'unavailable' || failure.code === 'timeout') this.leave(connection);
        if (!mayRepeat(failure) || this.#clock.monotonic() >= deadline) throw failure;
      }
      await this.pause(failures);
    }
  }
}

function connect(url: string): EtcdConnection {
  const sessionManager = new Http2SessionManager(url, {
    pingIntervalMs: limits.clientPingIntervalMilliseconds,
    pingTimeoutMs: limits.etcdPingMillisecondsMax,
  });
  const transport = (readMaxBytes: number) => createGrpcTransport({ baseUrl: url, sessionManager, readMaxBytes });
  const any = transport(limits.etcdAnswerBytesMax);
  return {
    url,
    kv: createClient(KV, any),
    pages: createClient(KV, transport(limits.etcdPageBytesMax)),
    watch: createClient(Watch, any),
    cluster: createClient(Cluster, any),
    maintenance: createClient(Maintenance, any),
    close: () => sessionManager.abort(),
  };
}

function checkEndpoint(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new CairnError('invalid_argument', `${JSON.stringify(url)} is no etcd endpoint: expected http://HOST:PORT`);
  }
  return parsed.origin;
}

const codeOf: Readonly<Record<Code, ErrorCode>> = {
  // Connections that break are cancelled by Node's HTTP/2; who cancelled a call knows it.
  [Code.Canceled]: 'unavailable',
  [Code.Unknown]: 'unavailable',
  [Code.InvalidArgument]: 'invalid_argument',
  [Code.DeadlineExceeded]: 'timeout',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'already_exists',
  [Code.PermissionDenied]: 'permission_denied',
  [Code.ResourceExhausted]: 'overloaded',
  [Code.FailedPrecondition]: 'failed_precondition',
  [Code.Aborted]: 'unavailable',
  // Revisions compacted, and those still to come.
  [Code.OutOfRange]: 'out_of_range',
  [Code.Unimplemented]: 'unimplemented',
  [Code.Internal]: 'unavailable',
  // No leader, a leader lost, a request that timed out on the way through the cluster.
  [Code.Unavailable]: 'unavailable',
  [Code.DataLoss]: 'corrupt',
  [Code.Unauthenticated]: 'unauthenticated',
};

/** By etcd's words, where its codes say too little. */
const codeOfWords: readonly (readonly [RegExp, ErrorCode])[] = [
  [/database space exceeded/, 'no_space'],
  [/request is too large/, 'too_large'],
  [/larger than configured readMaxBytes/, 'too_large'],
];

/** What a call to etcd threw, in our terms. */
export function etcdError(error: unknown): CairnError {
  if (error instanceof CairnError) return error;
  const { code, rawMessage } = ConnectError.from(error);
  const byWords = codeOfWords.find(([words]) => words.test(rawMessage));
  return new CairnError(byWords?.[1] ?? codeOf[code], `etcd: ${rawMessage}`, { cause: error });
}
