// A bare server around the RPC listener: one port, HTTP/1.1 and HTTP/2 told apart by the first bytes, parts of the test's
// choosing.

import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import { openGate } from '../../../src/api/auth/gate.js';
import type { RequestListener } from '../../../src/api/request-listener.js';
import { Lane } from '../../../src/api/rpc/lane/lane.js';
import { rpcHandler } from '../../../src/api/rpc/rpc-handler.js';
import type { CallRecord, RpcParts } from '../../../src/api/rpc/rpc-parts.js';
import { ServingState } from '../../../src/api/rpc/serving-state.js';
import { TokenHolders } from '../../../src/api/rpc/token-holders.js';
import { TransportTokens } from '../../../src/api/rpc/transport-tokens.js';
import { dispatchStreams } from '../../../src/api/stream-dispatch.js';
import { StreamWindows } from '../../../src/api/stream-windows.js';
import { ByteBudget } from '../../../src/base/byte-budget.js';
import { systemClock } from '../../../src/base/clock.js';
import { limits } from '../../../src/base/limits.js';
import { TurnBudget } from '../../../src/base/node/turn-budget.js';
import { systemRandom } from '../../../src/base/random.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';

export interface RpcServer {
  readonly baseUrl: string;
  readonly port: number;
  readonly parts: RpcParts;
  readonly calls: CallRecord[];
  /** What went to the log as an error. */
  readonly errors: object[];
  stop(): Promise<void>;
}

export interface GivenParts extends Partial<RpcParts> {
  readonly withLane?: boolean;
}

export function testParts(given: Partial<RpcParts> = {}): {
  readonly parts: RpcParts;
  readonly calls: CallRecord[];
  readonly errors: object[];
} {
  const calls: CallRecord[] = [];
  const errors: object[] = [];
  let callId = 0;
  const budget = new ByteBudget(limits.streamBudgetBytes);
  const parts: RpcParts = {
    store: new MemoryStore(),
    logger: { error: (fields) => void errors.push(fields), warn: () => {} },
    clock: systemClock,
    gate: openGate,
    tokenHolders: new TokenHolders(),
    tokens: new TransportTokens({ clock: systemClock, random: systemRandom, nodeId: 7 }),
    transportTokens: 'optional',
    serving: new ServingState(),
    shutdown: new AbortController().signal,
    recommendedConcurrency: 4,
    negotiateConcurrency: 2,
    lookups: new TurnBudget(limits.lookupSliceCountMax),
    budget,
    messageBudget: new ByteBudget(limits.messageBudgetBytes),
    windows: new StreamWindows(budget),
    nextCallId: () => String(++callId),
    onCall: (call) => void calls.push(call),
    ...given,
  };
  return { parts, calls, errors };
}

/** Serves uploads and downloads on the lane, unless told not to. */
export async function startRpcServer({ withLane = true, ...given }: GivenParts = {}): Promise<RpcServer> {
  const { parts, calls, errors } = testParts(given);
  const lane = withLane ? new Lane(parts) : undefined;
  const notFound: RequestListener = (_request, response) => {
    response.writeHead(404);
    response.end('no RPC');
  };
  const listener = rpcHandler(parts, notFound, lane);
  const http = createServer(listener);
  http.on('checkContinue', listener);
  http.emit('listening');
  const http2 = createHttp2Server(
    { settings: { initialWindowSize: 1 << 20 }, maxSessionMemory: limits.sessionMemoryMebibytesMax },
    listener,
  );
  dispatchStreams(http2, (stream, headers) => {
    if (lane?.wantsStream(headers) !== true) return false;
    lane.answerStream(stream, headers, {});
    return true;
  });
  http2.on('session', (session: ServerHttp2Session) => void session.on('error', () => {}));
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      (first.subarray(0, 3).toString() === 'PRI' ? http2 : http).emit('connection', socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    port,
    parts,
    calls,
    errors,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
