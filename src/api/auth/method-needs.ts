// What every RPC asks of its caller; routes of HTTP say it themselves. A method of a listed service without an entry fails to
// compile, and a service that is not listed fails when the face is put together.

import type { DescService } from '@bufbuild/protobuf';
import { assert } from '../../base/errors.js';
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
import type { Need } from './principal.js';

const ofMethods: ReadonlyMap<string, Need> = new Map([
  ...service(ContentAddressableStorage, { negotiateBlobs: 'read', getTransportDetails: 'read' }),
  ...service(Transport, { download: 'read', upload: 'write' }),
  ...service(BlobService, {
    findMissing: 'read',
    batchRead: 'read',
    batchWrite: 'write',
    stat: 'read',
    list: 'read',
    delete: 'delete',
  }),
  ...service(TreeService, { listTree: 'read', statTree: 'read', diffTrees: 'read', checkTree: 'read' }),
  ...service(MemberService, { listMembers: 'admin', removeMember: 'admin', transferLeadership: 'admin' }),
  ...service(MetaService, {
    getKey: 'admin',
    rangeKeys: 'admin',
    countKeys: 'admin',
    commitTxn: 'admin',
    watchKeys: 'admin',
    compactHistory: 'admin',
    getMetaStatus: 'admin',
  }),
  ...service(AccountService, {
    // They are how one gets credentials, or come with their own.
    login: 'public',
    register: 'public',
    refreshToken: 'public',
    logout: 'public',
    getUser: 'account',
    createUser: 'admin',
    listUsers: 'admin',
    deleteUser: 'admin',
    setRoles: 'admin',
    rotateSigningKey: 'admin',
    // Of one's own account; of others' they ask for more themselves.
    setPassword: 'account',
    createToken: 'account',
    listTokens: 'account',
    revokeToken: 'account',
  }),
  // Load balancers have no accounts, and what the services look like is in the source.
  ...service(Health, { check: 'public', list: 'public', watch: 'public' }),
  ...service(ServerReflection, { serverReflectionInfo: 'public' }),
  ...service(ServerReflectionAlpha, { serverReflectionInfo: 'public' }),
]);

/** Of a method as `package.Service/Method`. */
export function needOfMethod(method: string): Need {
  const need = ofMethods.get(method);
  assert(need !== undefined, `${method} has its entry in api/auth/method-needs.ts`);
  return need;
}

function service<S extends DescService>(descriptor: S, needs: Readonly<Record<keyof S['method'], Need>>) {
  return descriptor.methods.map(
    ({ localName, name }) => [`${descriptor.typeName}/${name}`, needs[localName as keyof S['method']]] as const,
  );
}
