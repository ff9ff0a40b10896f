// What the RPC face is made of. Everything is injected; defaults live in `server/config.ts`.

import type { ContextKey } from '@connectrpc/connect';
import { createContextKey } from '@connectrpc/connect';
import type { BlobStore } from '../../base/blob-store.js';
import type { ByteBudget } from '../../base/byte-budget.js';
import type { Clock } from '../../base/clock.js';
import type { TurnBudget } from '../../base/node/turn-budget.js';
import type { KvStore } from '../../meta/kv.js';
import type { Members } from '../../meta/raft/members.js';
import type { Caller } from '../auth/credentials.js';
import type { Gate } from '../auth/gate.js';
import type { Principal } from '../auth/principal.js';
import type { CompleteTrees } from '../complete-trees.js';
import type { Logger } from '../logger.js';
import type { NodeRequest } from '../request-listener.js';
import type { StreamWindows } from '../stream-windows.js';
import type { AccountServiceParts } from './account-service.js';
import type { ServingState } from './serving-state.js';
import type { TokenHolders } from './token-holders.js';
import type { TransportTokens } from './transport-tokens.js';

/** An address as people write it: an IPv4 or IPv6 literal and a port. */
export interface SocketEndpoint {
  readonly ip: string;
  readonly port: number;
}

/** One finished call, for logs and metrics. */
export interface CallRecord {
  readonly id: string;
  /** `ip:port` of the caller, or empty when it was gone already. */
  readonly peer: string;
  /** Name of the account it was made by; empty where nobody had to say, or was believed. */
  readonly account: string;
  readonly protocol: 'connect' | 'grpc' | 'grpc-web';
  /** `package.Service/Method`. */
  readonly method: string;
  /** `ok`, or the Connect code's name (`not_found`); `unknown` for requests that failed before they reached a method. */
  readonly code: string;
  /** Bytes of the request's and the response's body. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly milliseconds: number;
}

/** Lets a call in before anything of its body is read, or fails. The session is the HTTP/2 session that it came on. */
export type Admission = (
  method: string,
  header: Pick<Headers, 'get'>,
  caller: Caller,
  session: object | undefined,
) => Principal | Promise<Principal>;

export interface RpcParts {
  readonly store: BlobStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Asked about every call before its body is read. */
  readonly gate: Gate;
  /** Asked on the lane in place of gate and tokens, where those are another thread's. */
  readonly admit?: Admission | undefined;
  /** What AccountService works on; undefined where there are no accounts to be kept. */
  readonly accounts?: Pick<AccountServiceParts, 'accounts' | 'signIn'> | undefined;
  /** What MetaService shows; undefined where there is no metadata. */
  readonly kv?: KvStore | undefined;
  /** What MemberService shows; undefined where no group keeps the metadata. */
  readonly members?: Members | undefined;
  readonly tokens: TransportTokens;
  readonly tokenHolders: TokenHolders;
  /** `required`: Transport calls without a good token are refused. `optional`: unknown tokens are ignored and counted. */
  readonly transportTokens: 'optional' | 'required';
  /** Flipped when the server drains. */
  readonly serving: ServingState;
  /** Aborted when calls still under way must end; they answer `unavailable`. */
  readonly shutdown: AbortSignal;
  /** Where clients should move blobs; absent: the address their connection came in on. */
  readonly advertise?: SocketEndpoint | undefined;
  /** Which trees need no second look; undefined over a store that does not count what it loses. */
  readonly completeTrees?: CompleteTrees | undefined;
  /** Told to clients by GetTransportDetails. */
  readonly recommendedConcurrency: number;
  /** Slices of one question about missing blobs that are looked up at once. */
  readonly negotiateConcurrency: number;
  /** Digests that all calls together look up in one turn of the event loop. */
  readonly lookups: TurnBudget;
  /** What streams may hold beyond what each has from the start. */
  readonly budget: ByteBudget;
  /** What messages that have to be whole may hold, all together: nobody can do with less of one, so more are refused. */
  readonly messageBudget: ByteBudget;
  /** Widens the windows of HTTP/2 streams that bring much. */
  readonly windows: StreamWindows;
  /** A name for each call, in logs. */
  nextCallId(): string;
  /** Called once when a call's response is closed. Must not throw. */
  onCall(call: CallRecord): void;
}

/** The Node request of a call; undefined when a call did not come over a socket. */
export const nodeRequestKey: ContextKey<NodeRequest | undefined> = createContextKey<NodeRequest | undefined>(
  undefined,
  {
    description: 'Node request',
  },
);
