// Health and reflection, whichever way they are spoken to.

import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { BlobService } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { HealthCheckResponse_ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.js';
import { ContentAddressableStorage } from '../../src/gen/zako/v1/cas/cas_pb.js';
import { Transport } from '../../src/gen/zako/v1/transport/transport_pb.js';
import { collect, sequence } from './wire-blobs.js';
import { expectCode, type WireCaller } from './wire-caller.js';
import type { Face } from './wire-faces.js';

export function introspectionSuite(face: Face, caller: () => WireCaller): void {
  describe('Health', () => {
    it('serves, as a whole and by service', async () => {
      for (const service of ['', BlobService.typeName, Transport.typeName]) {
        expect((await caller().health.check({ service })).status).toBe(HealthCheckResponse_ServingStatus.SERVING);
      }
      await expectCode(Code.NotFound, caller().health.check({ service: 'cairn.v1.NoService' }));
      const { statuses } = await caller().health.list({});
      expect(statuses['']?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
      expect(statuses[ContentAddressableStorage.typeName]?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    });

    it.each([
      { service: '', want: HealthCheckResponse_ServingStatus.SERVING },
      { service: 'cairn.v1.NoService', want: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN },
    ])('Watch of "$service" begins with its status', async ({ service, want }) => {
      const abort = new AbortController();
      const statuses: HealthCheckResponse_ServingStatus[] = [];
      try {
        for await (const { status } of caller().health.watch({ service }, { signal: abort.signal })) {
          statuses.push(status);
          abort.abort();
        }
      } catch (error) {
        expect(ConnectError.from(error).code).toBe(Code.Canceled);
      }
      expect(statuses).toEqual([want]);
    });
  });

  describe.runIf(face.supportsBidi)('reflection', () => {
    it('lists services and finds the files of symbols, in v1 and v1alpha alike', async () => {
      const requests = [
        { case: 'listServices', value: '' },
        { case: 'fileContainingSymbol', value: 'zako.v1.transport.Transport.Download' },
        { case: 'fileByFilename', value: 'no/such.proto' },
      ] as const;
      const ask = sequence(requests.map((messageRequest) => ({ host: 'here', messageRequest })));
      const answers = await collect(caller().reflection.serverReflectionInfo(ask));
      expect(answers.map(({ messageResponse }) => messageResponse.case)).toEqual([
        'listServicesResponse',
        'fileDescriptorResponse',
        'errorResponse',
      ]);
      const again = sequence(requests.map((messageRequest) => ({ host: 'here', messageRequest })));
      const alpha = await collect(caller().reflectionAlpha.serverReflectionInfo(again));
      expect(alpha.map(({ messageResponse }) => messageResponse.case)).toEqual(
        answers.map(({ messageResponse }) => messageResponse.case),
      );
    });
  });
}
