import { createClient, createRouterTransport } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { healthService } from '../../../src/api/rpc/health-service.js';
import { ServingState } from '../../../src/api/rpc/serving-state.js';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../../src/gen/grpc/health/v1/health_pb.js';

it('is watched by many without a warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const serving = new ServingState();
  for (const change of [() => serving.stopWrites(), () => serving.drain()]) {
    for (let i = 0; i < 50; i++) serving.changed.addEventListener('abort', () => {});
    change();
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

it('goes from serving over read_only to draining and never back, and a Watch hears of it', async () => {
  const serving = new ServingState();
  const transport = createRouterTransport(({ service }) => {
    service(Health, healthService({ serving, serviceNames: ['a'] }));
  });
  const client = createClient(Health, transport);
  const heard: Status[] = [];
  const steps = [() => serving.stopWrites(), () => serving.drain()];
  for await (const { status } of client.watch({ service: 'a' })) {
    heard.push(status);
    steps.shift()?.();
    // NOT_SERVING is told once, whatever the reason.
    if (status === Status.NOT_SERVING) for (const step of steps.splice(0)) step();
  }
  expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING]);
  serving.stopWrites();
  expect(serving.status).toBe('draining');
  expect((await client.check({})).status).toBe(Status.NOT_SERVING);
});
