import { describe, expect, it } from 'vitest';
import { PasswordHasher, passwordCost } from '../../../src/api/auth/password-hasher.js';
import { limits } from '../../../src/base/limits.js';
import { systemRandom } from '../../../src/base/random.js';
import { cheapCost } from '../../support/accounts.js';

const hasher = new PasswordHasher({ random: systemRandom, cost: cheapCost });

describe('PasswordHasher', () => {
  it('knows a password again, and no other', async () => {
    const hash = await hasher.hash('correct horse');
    expect(hash).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(await hasher.verify('correct horse', hash)).toBe(true);
    for (const wrong of ['correct hors', 'Correct horse', '', 'correct horse ']) {
      expect(await hasher.verify(wrong, hash)).toBe(false);
    }
  });

  it('salts: one password has many hashes', async () => {
    expect(await hasher.hash('same')).not.toBe(await hasher.hash('same'));
  });

  it('agrees with RFC 7914, section 12', async () => {
    const salt = Buffer.from('NaCl').toString('base64').replace(/=+$/, '');
    const expected = Buffer.from('fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162', 'hex');
    const hash = `$scrypt$ln=10,r=8,p=16$${salt}$${expected.toString('base64').replace(/=+$/, '')}`;
    expect(await hasher.verify('password', hash)).toBe(true);
  });

  it('knows passwords that were hashed at another cost', async () => {
    const dearer = new PasswordHasher({ random: systemRandom, cost: { logN: 5, r: 4, p: 2 } });
    expect(await hasher.verify('moved', await dearer.hash('moved'))).toBe(true);
  });

  it('takes letters in any composition', async () => {
    expect(await hasher.verify('cafe\u0301', await hasher.hash('caf\u00e9'))).toBe(true);
  });

  it('says no for nobody, by the same work', async () => {
    expect(await hasher.verify('anything', undefined)).toBe(false);
  });

  it.each(['', 'plain', '$scrypt$ln=4,r=8,p=1$c2FsdA$c2hvcnQ', '$bcrypt$x$y$z'])('refuses to read %j', async (hash) => {
    await expect(hasher.verify('x', hash)).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('runs few at once, lets few wait, refuses the rest', async () => {
    const most = limits.passwordHashesAtOnceCountMax + limits.passwordHashesWaitingCountMax;
    const outcomes = await Promise.allSettled(Array.from({ length: most + 5 }, () => hasher.hash('crowd')));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map(({ reason }) => reason.code)).toEqual(Array(5).fill('overloaded'));
    expect(await hasher.verify('later', await hasher.hash('later'))).toBe(true);
  });

  it('is costly where it counts', () => {
    expect(128 * passwordCost.r * 2 ** passwordCost.logN).toBe(32 * 1024 * 1024);
  });
});
