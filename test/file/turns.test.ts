import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/file/turns.js';

describe('turns', () => {
  it('are taken one after the other under one name, whatever becomes of them, and at once under others', async () => {
    const turns = new Turns();
    const log: string[] = [];
    let goOn = () => {};
    const told = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const first = turns.take('a', async () => {
      await told;
      log.push('a1');
      throw new Error('a1');
    });
    const second = turns.take('a', async () => log.push('a2'));
    await turns.take('b', async () => log.push('b'));
    goOn();
    await expect(first).rejects.toThrow('a1');
    await second;
    expect(log).toEqual(['b', 'a1', 'a2']);
  });
});
