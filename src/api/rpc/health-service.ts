// grpc.health.v1.Health: SERVING until the server drains or can no longer write. A Watch ends with the drain, so that it
// does not hold it up.

import type { ServiceImpl } from '@connectrpc/connect';
import { CairnError } from '../../base/errors.js';
import { type Health, HealthCheckResponse_ServingStatus as Status } from '../../gen/grpc/health/v1/health_pb.js';
import type { ServingState } from './serving-state.js';
import { firstAborted } from './until-aborted.js';

export interface HealthParts {
  readonly serving: ServingState;
  /** Full names; the empty name asks about the whole server. */
  readonly serviceNames: readonly string[];
}

export function healthService({ serving, serviceNames }: HealthParts): ServiceImpl<typeof Health> {
  const names = new Set(['', ...serviceNames]);
  const current = () => ({ status: serving.status === 'serving' ? Status.SERVING : Status.NOT_SERVING });
  return {
    check({ service }) {
      if (!names.has(service)) throw new CairnError('not_found', `there is no service ${JSON.stringify(service)}`);
      return current();
    },

    list() {
      return { statuses: Object.fromEntries([...names].map((name) => [name, current()])) };
    },

    async *watch({ service }, { signal }) {
      const answer = () => (names.has(service) ? current() : { status: Status.SERVICE_UNKNOWN });
      let told: Status | undefined;
      for (;;) {
        // Taken before the answer, so that no change falls in between.
        const { changed, status } = serving;
        const now = answer();
        if (now.status !== told) yield now;
        told = now.status;
        if (status === 'draining') return;
        await firstAborted([signal, changed]);
        if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
      }
    },
  };
}
