import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { fromMetaCompare, fromMetaOperation, toMetaEvent, toMetaItem } from '../../../src/api/rpc/meta-messages.js';
import { MetaCompareSchema, MetaComparison, MetaOperationSchema } from '../../../src/gen/cairn/v1/meta_service_pb.js';
import { textKey } from '../../../src/meta/keys.js';

const item = (key: string) => ({
  key: textKey(key),
  value: textKey('value'),
  createRevision: 1,
  revision: 2,
  version: 2,
});

it.each([
  ['auth/key', 0],
  ['auth/account/root', 0],
  ['auth', 5],
  ['author', 5],
  ['file/auth/', 5],
])('of %s %i bytes of the value are told', (key, bytes) => {
  expect(toMetaItem(item(key)).value).toHaveLength(bytes);
  expect(toMetaEvent({ kind: 'put', item: item(key) }).item?.value).toHaveLength(bytes);
});

it('secrets cannot be put in', () => {
  const put = (key: string) =>
    create(MetaOperationSchema, { operation: { case: 'put', value: { key: textKey(key), value: textKey('x') } } });
  expect(fromMetaOperation(put('file/x'))).toMatchObject({ kind: 'put' });
  expect(() => fromMetaOperation(put('auth/key'))).toThrow(expect.objectContaining({ code: 'permission_denied' }));
});

it('secrets cannot be found out by comparing', () => {
  const compare = (key: string) =>
    create(MetaCompareSchema, {
      key: textKey(key),
      is: MetaComparison.LESS,
      target: { case: 'value', value: textKey('x') },
    });
  expect(fromMetaCompare(compare('file/x'))).toMatchObject({ target: 'value' });
  expect(() => fromMetaCompare(compare('auth/key'))).toThrow(expect.objectContaining({ code: 'permission_denied' }));
});
