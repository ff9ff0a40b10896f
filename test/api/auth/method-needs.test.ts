import { createConnectRouter } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { needOfMethod } from '../../../src/api/auth/method-needs.js';
import { rpcRoutes } from '../../../src/api/rpc/rpc-routes.js';
import { testAccounts } from '../../support/accounts.js';
import { testParts } from '../rpc/rpc-server.js';

it('every method says what it needs, and nothing more is public than has to be', async () => {
  const { accounts, signIn } = await testAccounts();
  const router = createConnectRouter();
  rpcRoutes(testParts({ accounts: { accounts, signIn } }).parts)(router);
  const methods = router.handlers.map(({ requestPath }) => requestPath.slice(1));
  expect(methods.filter((method) => needOfMethod(method) === 'public').sort()).toEqual([
    'cairn.v1.AccountService/Login',
    'cairn.v1.AccountService/Logout',
    'cairn.v1.AccountService/RefreshToken',
    'cairn.v1.AccountService/Register',
    'grpc.health.v1.Health/Check',
    'grpc.health.v1.Health/List',
    'grpc.health.v1.Health/Watch',
    'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  ]);
  await accounts.close();
});

it('a method without an entry is a defect', () => {
  expect(() => needOfMethod('cairn.v1.BlobService/None')).toThrow();
});
