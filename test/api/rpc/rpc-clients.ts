// A server of the test's making with a client of every service, both gone after each test.

import { createClient } from '@connectrpc/connect';
import { afterEach } from 'vitest';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { TreeService } from '../../../src/gen/cairn/v1/tree_service_pb.js';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.js';
import { ContentAddressableStorage } from '../../../src/gen/zako/v1/cas/cas_pb.js';
import { Transport } from '../../../src/gen/zako/v1/transport/transport_pb.js';
import { faces } from '../../conformance/wire-faces.js';
import { type GivenParts, startRpcServer } from './rpc-server.js';

/** For the tests of a file; give it once, at its top. Answers what sets up one test. */
export function useRpcServer(common: GivenParts = {}) {
  const cleanUps: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function setUp(given: GivenParts = {}, faceName = 'gRPC, binary, HTTP/2') {
    const server = await startRpcServer({ ...common, ...given });
    cleanUps.push(() => server.stop());
    const connection = faces.find(({ name }) => name === faceName)!.connect(server.baseUrl);
    cleanUps.push(() => connection.close());
    const of = connection.transport;
    return {
      server,
      /** Also done after the test, before the server stops. */
      cleanUp: (step: () => void) => void cleanUps.push(step),
      transport: createClient(Transport, of),
      blobs: createClient(BlobService, of),
      trees: createClient(TreeService, of),
      cas: createClient(ContentAddressableStorage, of),
      health: createClient(Health, of),
    };
  }

  return setUp;
}
