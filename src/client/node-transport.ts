// A client's connections to a server. The calls of a sync have one of their own, see `grpc-session.ts`; what needs
// more comes by Connect, which is loaded with the first call.

import type { Transport } from '@connectrpc/connect';
import { type Clock, systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import type { ConnectOptions } from './connect-options.js';
import type { ConnectTransport } from './connect-transport.js';
import { type Call, GrpcSession } from './grpc-session.js';

/** What a client needs of a connection. A browser would bring another. */
export interface ClientTransport {
  readonly transport: Transport;
  readonly call: Call;
  /** Calls back whenever a session of `transport` has ended: what was bound to that connection is void. */
  onSessionEnd(callback: () => void): void;
  /** Ends the connections and all calls under way. */
  close(): void;
}

export function openNodeTransport(
  url: string,
  options: ConnectOptions = {},
  clock: Clock = systemClock,
): ClientTransport {
  const origin = checkUrl(url);
  const listeners: (() => void)[] = [];
  const session = new GrpcSession(origin, clock, options);
  let opened: Promise<ConnectTransport> | undefined;
  let isClosed = false;
  const open = async () => {
    const { openConnectTransport } = await import('./connect-transport.js');
    const connection = openConnectTransport(origin, options, () => {
      for (const listener of listeners) listener();
    });
    if (isClosed) connection.close();
    return connection;
  };
  const loaded = async () => {
    opened ??= open();
    return (await opened).transport;
  };
  return {
    transport: {
      unary: async (...call) => (await loaded()).unary(...call),
      stream: async (...call) => (await loaded()).stream(...call),
    },
    call: session.call,
    onSessionEnd: (callback) => listeners.push(callback),
    close() {
      isClosed = true;
      session.close();
      void opened?.then((connection) => connection.close());
    },
  };
}

function checkUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new CairnError('invalid_argument', `${JSON.stringify(url)} is no server address: expected http://HOST:PORT`);
  }
  // They would be dropped without a word, and every call be made by nobody.
  if (parsed.username !== '' || parsed.password !== '') {
    throw new CairnError('invalid_argument', `a name and a password do not belong into the address of ${parsed.host}`);
  }
  return parsed.origin;
}
