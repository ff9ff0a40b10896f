// What can be counted about a server, in Prometheus' text form. Each server has its own registry, so that several live in one
// process without mixing.

import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObject,
  Registry,
} from 'prom-client';
import type { StoreUsage } from '../../base/blob-store.js';
import type { StoreOperation } from '../../cas/metered-store.js';
import type { Call } from '../call-log.js';

export interface MetricsParts {
  /** Connections open now. */
  connections(): number;
  /** What there is once in a server; undefined in the threads beside its own. */
  readonly once?: {
    usage(): Promise<StoreUsage>;
    /** Transport tokens that were presented, not known, and ignored since the start. */
    ignoredTokens(): number;
    /** What the other threads have counted, to be added. */
    others?(): Promise<readonly Snapshot[]>;
  };
}

/** All that was counted, as plain data. */
export type Snapshot = readonly MetricObject[];

export interface Metrics {
  observeCall(call: Call): void;
  observeStore(operation: StoreOperation): void;
  readonly contentType: string;
  snapshot(): Promise<Snapshot>;
  render(): Promise<string>;
}

const durationBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

export function createMetrics({ connections, once }: MetricsParts): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // Of the process as a whole: memory, CPU, garbage collection and the lag of the event loop.
  const ofProcess = new Registry();
  if (once !== undefined) collectDefaultMetrics({ register: ofProcess });

  const calls = new Counter({
    name: 'cairn_calls_total',
    help: 'Finished calls by protocol, method and code.',
    labelNames: ['protocol', 'method', 'code'],
    registers,
  });
  const bytes = new Counter({
    name: 'cairn_call_bytes_total',
    help: 'Bytes of request bodies (in) and answer bodies (out).',
    labelNames: ['protocol', 'method', 'direction'],
    registers,
  });
  const seconds = new Histogram({
    name: 'cairn_call_duration_seconds',
    help: 'Time from a request to the end of its answer.',
    labelNames: ['protocol', 'method'],
    buckets: durationBuckets,
    registers,
  });
  const operations = new Histogram({
    name: 'cairn_store_operation_duration_seconds',
    help: 'Time of the store by operation and outcome; a write waits for its source.',
    labelNames: ['operation', 'outcome'],
    buckets: durationBuckets,
    registers,
  });
  new Gauge({
    name: 'cairn_connections',
    help: 'Open client connections.',
    registers,
    collect() {
      this.set(connections());
    },
  });
  if (once !== undefined) {
    new Gauge({
      name: 'cairn_store_blobs',
      help: 'Blobs in the store.',
      registers,
      async collect() {
        this.set((await once.usage()).blobs);
      },
    });
    new Gauge({
      name: 'cairn_store_bytes',
      help: 'Sum of the sizes of all blobs.',
      registers,
      async collect() {
        this.set((await once.usage()).bytes);
      },
    });
    new Gauge({
      name: 'cairn_transport_tokens_ignored',
      help: 'Unknown transport tokens that were presented and ignored.',
      registers,
      collect() {
        this.set(once.ignoredTokens());
      },
    });
  }

  return {
    observeCall({ protocol, method, code, bytesIn, bytesOut, milliseconds }) {
      calls.inc({ protocol, method, code });
      if (bytesIn > 0) bytes.inc({ protocol, method, direction: 'in' }, bytesIn);
      if (bytesOut > 0) bytes.inc({ protocol, method, direction: 'out' }, bytesOut);
      seconds.observe({ protocol, method }, milliseconds / 1000);
    },
    observeStore({ name, outcome, milliseconds }) {
      operations.observe({ operation: name, outcome }, milliseconds / 1000);
    },
    contentType: registry.contentType,
    snapshot: () => registry.getMetricsAsJSON(),
    async render() {
      const others = (await once?.others?.()) ?? [];
      const all =
        others.length === 0
          ? registry
          : AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...others] as MetricObject[][]);
      return (await ofProcess.metrics()) + (await all.metrics());
    },
  };
}
