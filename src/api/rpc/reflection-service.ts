// Server reflection, so that `buf curl` and grpcurl need no files. Versions v1 and v1alpha differ in their package alone
// and share one implementation. There are no extensions here.

import type { DescFile } from '@bufbuild/protobuf';
import { Code, type ServiceImpl } from '@connectrpc/connect';
import type { ServerReflection, ServerReflectionRequest } from '../../gen/grpc/reflection/v1/reflection_pb.js';
import type {
  ServerReflection as ServerReflectionAlpha,
  ServerReflectionRequest as ServerReflectionRequestAlpha,
} from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { type DescriptorCatalog, fileWithImports } from './descriptor-catalog.js';
import { untilAborted } from './until-aborted.js';

export function reflectionService(catalog: DescriptorCatalog): ServiceImpl<typeof ServerReflection> {
  return {
    async *serverReflectionInfo(requests, { signal }) {
      for await (const request of untilAborted(requests, signal)) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(catalog, request) };
      }
    },
  };
}

export function reflectionServiceAlpha(catalog: DescriptorCatalog): ServiceImpl<typeof ServerReflectionAlpha> {
  return {
    async *serverReflectionInfo(requests, { signal }) {
      for await (const request of untilAborted(requests, signal)) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(catalog, request) };
      }
    },
  };
}

type Question = (ServerReflectionRequest | ServerReflectionRequestAlpha)['messageRequest'];

function answer(catalog: DescriptorCatalog, { messageRequest: question }: { readonly messageRequest: Question }) {
  switch (question.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse' as const,
        value: { service: catalog.serviceNames.map((name) => ({ name })) },
      };
    case 'fileByFilename':
      return fileAnswer(catalog.fileNamed(question.value), `file ${question.value}`);
    case 'fileContainingSymbol':
      return fileAnswer(catalog.fileContaining(question.value), `symbol ${question.value}`);
    case 'fileContainingExtension':
      return refusal(Code.NotFound, `no extension of ${question.value.containingType} is known`);
    case 'allExtensionNumbersOfType':
      if (!catalog.hasMessage(question.value)) return refusal(Code.NotFound, `type ${question.value} is not known`);
      return {
        case: 'allExtensionNumbersResponse' as const,
        value: { baseTypeName: question.value, extensionNumber: [] },
      };
    case undefined:
      return refusal(Code.InvalidArgument, 'the request asks nothing');
  }
}

function fileAnswer(file: DescFile | undefined, what: string) {
  if (file === undefined) return refusal(Code.NotFound, `${what} is not known`);
  return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto: fileWithImports(file) } };
}

function refusal(errorCode: Code, errorMessage: string) {
  return { case: 'errorResponse' as const, value: { errorCode, errorMessage } };
}
