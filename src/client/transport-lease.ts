// The token that the Transport service wants to see, and how many transfers at once serve the server best.
// A token belongs to the first connection that presents it and dies when nobody does in time, so it is asked for once
// per session, forgotten with the session, and asked for anew when it was never presented for too long.
// The address in the answer is not followed: a client stays with the one it was given, which is known to reach the
// server through whatever lies between.

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { toCairnError } from './error-codes.js';
import type { Call } from './grpc-session.js';
import { decodeTransportDetails, encodeBytes } from './message.js';

/** gRPC alone, by its number in `zako.v1.net.Protocol`. */
const supportedProtocols = Uint8Array.of(0);

interface Lease {
  readonly token: string;
  readonly concurrency: number;
  readonly grantedAt: number;
  presented: boolean;
}

export class TransportLease {
  #lease: Promise<Lease> | undefined;

  constructor(
    private readonly call: Call,
    private readonly clock: Clock,
  ) {}

  /** From 1 to `clientTransfersCountMax`. */
  async concurrency(): Promise<number> {
    return (await this.#get()).concurrency;
  }

  /** What a call of the Transport service sends along, beside an account's credentials. */
  async headers(): Promise<Readonly<Record<string, string>>> {
    let lease = await this.#get();
    const age = this.clock.monotonic() - lease.grantedAt;
    if (!lease.presented && age > limits.clientTokenMillisecondsMax) {
      this.forget();
      lease = await this.#get();
    }
    lease.presented = true;
    return { 'x-cairn-transport-token': lease.token };
  }

  forget(): void {
    this.#lease = undefined;
  }

  /** The lease of the present session. Callers share one question. */
  #get(): Promise<Lease> {
    this.#lease ??= this.#ask().catch((error: unknown) => {
      this.forget();
      throw toCairnError(error);
    });
    return this.#lease;
  }

  async #ask(): Promise<Lease> {
    const method = '/zako.v1.cas.ContentAddressableStorage/GetTransportDetails';
    const details = decodeTransportDetails(await this.call(method, encodeBytes(supportedProtocols)));
    return {
      token: details.authToken,
      concurrency: Math.min(Math.max(1, details.recommendedConcurrency), limits.clientTransfersCountMax),
      grantedAt: this.clock.monotonic(),
      presented: false,
    };
  }
}
