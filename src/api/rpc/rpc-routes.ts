// Which services there are. The one place that knows them all.

import type { ConnectRouter } from '@connectrpc/connect';
import { AccountService } from '../../gen/cairn/v1/account_service_pb.js';
import { BlobService } from '../../gen/cairn/v1/blob_service_pb.js';
import { MemberService } from '../../gen/cairn/v1/member_service_pb.js';
import { MetaService } from '../../gen/cairn/v1/meta_service_pb.js';
import { TreeService } from '../../gen/cairn/v1/tree_service_pb.js';
import { Health } from '../../gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { ContentAddressableStorage } from '../../gen/zako/v1/cas/cas_pb.js';
import { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import { accountService } from './account-service.js';
import { blobService } from './blob-service.js';
import { casService } from './cas-service.js';
import { DescriptorCatalog } from './descriptor-catalog.js';
import { healthService } from './health-service.js';
import { memberService } from './member-service.js';
import { metaService } from './meta-service.js';
import { reflectionService, reflectionServiceAlpha } from './reflection-service.js';
import type { RpcParts } from './rpc-parts.js';
import { transportService } from './transport-service.js';
import { treeService } from './tree-service.js';

const services = [
  ContentAddressableStorage,
  Transport,
  BlobService,
  TreeService,
  AccountService,
  MetaService,
  MemberService,
  Health,
  ServerReflection,
  ServerReflectionAlpha,
];

export function rpcRoutes(parts: RpcParts): (router: ConnectRouter) => void {
  const catalog = new DescriptorCatalog(services);
  const { serviceNames } = catalog;
  return (router) => {
    if (parts.accounts !== undefined) {
      router.service(AccountService, accountService({ ...parts.accounts, clock: parts.clock }));
    }
    if (parts.members !== undefined) router.service(MemberService, memberService(parts.members));
    if (parts.kv !== undefined) router.service(MetaService, metaService(parts.kv));
    router
      .service(ContentAddressableStorage, casService(parts))
      .service(Transport, transportService(parts))
      .service(BlobService, blobService(parts))
      .service(TreeService, treeService(parts))
      .service(Health, healthService({ serving: parts.serving, serviceNames }))
      .service(ServerReflection, reflectionService(catalog))
      .service(ServerReflectionAlpha, reflectionServiceAlpha(catalog));
  };
}
