import { describe, expect, it } from 'vitest';
import { assert, CairnError, errorCode } from '../../src/base/errors.js';

describe('CairnError', () => {
  it('carries its code, its words and its cause', () => {
    const cause = new Error('beneath');
    const error = new CairnError('no_space', 'the disk is full', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'CairnError', code: 'no_space', message: 'the disk is full', cause });
    expect(new CairnError('storage', 'x')).not.toHaveProperty('cause');
  });

  it('names what it is about, where it is about one thing', () => {
    const subject = { kind: 'file', id: 'f_1' } as const;
    expect(new CairnError('not_found', 'x', { subject }).subject).toBe(subject);
    expect(new CairnError('not_found', 'x').subject).toBeUndefined();
  });
});

describe('errorCode', () => {
  it('is the code of an error of ours', () => {
    expect(errorCode(new CairnError('overloaded', ''))).toBe('overloaded');
  });
  it.each([
    { name: 'a plain error', thrown: new Error('x') },
    { name: "the system's error", thrown: Object.assign(new Error('x'), { code: 'ENOSPC' }) },
    { name: 'something that looks like ours', thrown: { name: 'CairnError', code: 'not_found' } },
    { name: 'a string', thrown: 'not_found' },
    { name: 'nothing', thrown: undefined },
    { name: 'null', thrown: null },
  ])('is internal for $name', ({ thrown }) => {
    expect(errorCode(thrown)).toBe('internal');
  });
});

describe('assert', () => {
  it('is silent about what holds', () => {
    expect(() => assert(true, 'holds')).not.toThrow();
  });
  it('throws what is no error of ours', () => {
    expect(() => assert(false, 'does not hold')).toThrow(/does not hold/);
    try {
      assert(false, '');
    } catch (error) {
      expect(error).not.toBeInstanceOf(CairnError);
    }
  });
});
