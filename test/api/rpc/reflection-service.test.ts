import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, createClient, createRouterTransport } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { rpcRoutes } from '../../../src/api/rpc/rpc-routes.js';
import { ServerReflection, type ServerReflectionRequest } from '../../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../../src/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { collect, sequence } from '../../conformance/wire-blobs.js';
import { testParts } from './rpc-server.js';

const transport = createRouterTransport(rpcRoutes(testParts().parts));
type Question = ServerReflectionRequest['messageRequest'];

describe.each([
  { name: 'v1', client: createClient(ServerReflection, transport) },
  { name: 'v1alpha', client: createClient(ServerReflectionAlpha, transport) as never },
])('reflection $name', ({ client }: { client: ReturnType<typeof createClient<typeof ServerReflection>> }) => {
  async function ask(messageRequest: object) {
    const requests = sequence([{ host: 'h', messageRequest: messageRequest as Question }]);
    const [answer] = await collect(client.serverReflectionInfo(requests));
    expect(answer?.validHost).toBe('h');
    expect(answer?.originalRequest?.messageRequest).toMatchObject(messageRequest);
    return answer!.messageResponse;
  }

  async function filesFor(messageRequest: object): Promise<string[]> {
    const answer = await ask(messageRequest);
    if (answer.case !== 'fileDescriptorResponse') throw new Error(`answered ${answer.case}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
  }

  it('lists every service, itself included', async () => {
    const answer = await ask({ case: 'listServices', value: '*' });
    expect(answer.case === 'listServicesResponse' && answer.value.service.map(({ name }) => name)).toEqual([
      'cairn.v1.AccountService',
      'cairn.v1.BlobService',
      'cairn.v1.MemberService',
      'cairn.v1.MetaService',
      'cairn.v1.TreeService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'zako.v1.cas.ContentAddressableStorage',
      'zako.v1.transport.Transport',
    ]);
  });

  const cas = ['zako/v1/cas/cas.proto', 'zako/v1/digest/digest.proto', 'zako/v1/net/net.proto'];
  const blobs = ['cairn/v1/blob_service.proto', 'zako/v1/digest/digest.proto'];
  it.each([
    { symbol: 'zako.v1.cas.ContentAddressableStorage', want: cas },
    { symbol: 'zako.v1.cas.ContentAddressableStorage.NegotiateBlobs', want: cas },
    { symbol: 'zako.v1.cas.TransportDetails', want: cas },
    { symbol: 'zako.v1.cas.TransportDetails.auth_token', want: cas },
    { symbol: 'cairn.v1.BatchReadResponse.Item', want: blobs },
    { symbol: 'cairn.v1.BatchReadResponse.Item.data', want: blobs },
    { symbol: 'zako.v1.net.Protocol', want: ['zako/v1/net/net.proto'] },
    { symbol: 'zako.v1.net.grpc', want: ['zako/v1/net/net.proto'] },
    { symbol: 'zako.v1.net.IpAddress.ip_addr', want: ['zako/v1/net/net.proto'] },
    { symbol: 'grpc.health.v1.HealthCheckResponse.ServingStatus', want: ['grpc/health/v1/health.proto'] },
    { symbol: 'grpc.health.v1.HealthCheckResponse.SERVING', want: ['grpc/health/v1/health.proto'] },
  ])('finds the file of $symbol with its imports', async ({ symbol, want }) => {
    expect(await filesFor({ case: 'fileContainingSymbol', value: symbol })).toEqual(want);
  });

  it('finds files by name, imported ones too', async () => {
    expect(await filesFor({ case: 'fileByFilename', value: cas[0] })).toEqual(cas);
    expect(await filesFor({ case: 'fileByFilename', value: 'zako/v1/range/range.proto' })).toHaveLength(1);
  });

  it('knows no extensions, of types that it knows', async () => {
    expect(await ask({ case: 'allExtensionNumbersOfType', value: 'cairn.v1.StatRequest' })).toMatchObject({
      case: 'allExtensionNumbersResponse',
      value: { baseTypeName: 'cairn.v1.StatRequest', extensionNumber: [] },
    });
  });

  it.each([
    { case: 'fileContainingSymbol', value: 'zako.v1.cas.Nothing' },
    { case: 'fileContainingSymbol', value: 'zako.v1.cas' },
    { case: 'fileByFilename', value: 'cas.proto' },
    { case: 'allExtensionNumbersOfType', value: 'no.Type' },
    { case: 'fileContainingExtension', value: { containingType: 'cairn.v1.StatRequest', extensionNumber: 7 } },
  ])('does not find $case $value', async (messageRequest) => {
    expect(await ask(messageRequest)).toMatchObject({ case: 'errorResponse', value: { errorCode: Code.NotFound } });
  });

  it('goes on after a question that it cannot answer', async () => {
    const questions = [
      { case: 'fileByFilename', value: 'x' },
      { case: 'listServices', value: '' },
    ] as const;
    const answers = await collect(
      client.serverReflectionInfo(sequence(questions.map((messageRequest) => ({ messageRequest })))),
    );
    expect(answers.map(({ messageResponse }) => messageResponse.case)).toEqual([
      'errorResponse',
      'listServicesResponse',
    ]);
  });
});
