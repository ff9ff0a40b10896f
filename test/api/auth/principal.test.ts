import { describe, expect, it } from 'vitest';
import {
  authorize,
  everybody,
  type Need,
  nobody,
  operationsOf,
  type Principal,
  type Role,
} from '../../../src/api/auth/principal.js';

const needs: Need[] = ['public', 'account', 'read', 'write', 'delete', 'admin', 'node'];

const may = (principal: Principal) =>
  needs.filter((need) => {
    try {
      authorize(principal, need);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'permission_denied' });
      return false;
    }
  });

describe('authorize', () => {
  it.each<[Role[], Need[]]>([
    [['reader'], ['public', 'account', 'read']],
    [['writer'], ['public', 'account', 'read', 'write', 'delete']],
    [['admin'], ['public', 'account', 'read', 'write', 'delete', 'admin']],
    [['node'], ['public', 'account', 'read', 'write', 'delete', 'node']],
    [
      ['reader', 'node'],
      ['public', 'account', 'read', 'write', 'delete', 'node'],
    ],
    [[], ['public', 'account']],
  ])('%j may %j', (roles, want) => {
    expect(may({ name: 'ann', roles, operations: new Set(operationsOf(roles)), session: undefined })).toEqual(want);
  });

  it('everybody may everything, nobody nothing', () => {
    expect(may(everybody)).toEqual(needs);
    expect(may(nobody)).toEqual(['public', 'account']);
  });
});
