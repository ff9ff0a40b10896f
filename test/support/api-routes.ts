// Routes of the API of files behind a port of their own, on a clock that may run fast.

import { openGate } from '../../src/api/auth/gate.js';
import type { Call } from '../../src/api/call-log.js';
import { httpFace } from '../../src/api/http/http-handler.js';
import { createMetrics } from '../../src/api/http/metrics.js';
import { type ApiRoute, routerRows } from '../../src/api/http/v1/api-route.js';
import { createPort } from '../../src/api/port.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { streamMemory } from './stream-memory.js';

export interface ServedRoutes {
  readonly url: string;
  readonly port: number;
  readonly calls: readonly Call[];
  /** What went to the log as this server's fault. */
  readonly faults: readonly object[];
  close(): Promise<void>;
}

export async function serveRoutes(routes: readonly ApiRoute[], clock: Clock = systemClock): Promise<ServedRoutes> {
  const store = new MemoryStore();
  const calls: Call[] = [];
  const faults: object[] = [];
  const face = httpFace({
    store,
    gate: openGate,
    ...streamMemory({ clock }),
    random: systemRandom,
    logger: { error: (fields) => faults.push(fields), warn: () => {} },
    metrics: createMetrics({ connections: () => 0 }),
    apiRoutes: routerRows(routes),
    serving: { status: 'serving' },
    nextCallId: () => 'id',
    onCall: (call) => calls.push(call),
  });
  const port = createPort({ handler: face.handler, clock: systemClock });
  const { port: number } = await port.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${number}`,
    port: number,
    calls,
    faults,
    async close() {
      port.drain();
      port.destroy();
      await port.closed();
      await face.settled();
    },
  };
}
