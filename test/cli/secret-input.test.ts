import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { readNewPassword, readOwnPassword, readSecret, type SecretTerminal } from '../../src/cli/secret-input.js';

class FakeInput extends EventEmitter {
  raw: boolean[] = [];
  constructor(readonly isTTY: boolean) {
    super();
  }
  setRawMode(raw: boolean): void {
    this.raw.push(raw);
  }
  resume(): void {}
  pause(): void {}
}

function setUp(isTTY: boolean) {
  const input = new FakeInput(isTTY);
  const shown: string[] = [];
  let interrupted = false;
  const terminal: SecretTerminal = {
    input,
    output: { write: (text) => shown.push(text) },
    interrupt: () => {
      interrupted = true;
    },
  };
  const type = (text: string) => input.emit('data', Buffer.from(text));
  return { input, terminal, shown, type, wasInterrupted: () => interrupted };
}

describe('readSecret', () => {
  it.each([
    ['secret\r', 'secret'],
    ['secret\n', 'secret'],
    ['secrex\u007ft\r', 'secret'],
    ['\u007fs\bx\r', 'x'],
    ['pässwörd 🔑\r', 'pässwörd 🔑'],
    ['🔑\u007fx\r', 'x'],
    ['secret\u0004', 'secret'],
  ])('reads %j from a terminal, and shows nothing of it', async (typed, want) => {
    const { terminal, type, shown, input } = setUp(true);
    const read = readSecret('Password: ', terminal);
    for (const byte of Buffer.from(typed)) input.emit('data', Buffer.of(byte));
    type('more');
    expect(await read).toBe(want);
    expect(shown).toEqual(['Password: ', '\n']);
    expect(input.raw).toEqual([true, false]);
    expect(input.eventNames()).toEqual([]);
  });

  it('reads one line of what is no terminal', async () => {
    const { terminal, type, shown } = setUp(false);
    const read = readSecret('Password: ', terminal);
    type('a\u007fb\nmore\n');
    expect(await read).toBe('a\u007fb');
    expect(shown).toEqual([]);
  });

  it('reads what there is when the input ends without a line', async () => {
    const { terminal, type, input } = setUp(false);
    const read = readSecret('Password: ', terminal);
    type('secret');
    input.emit('end');
    expect(await read).toBe('secret');
  });

  it('can be interrupted', () => {
    const { terminal, type, wasInterrupted } = setUp(true);
    void readSecret('Password: ', terminal);
    type('sec\u0003');
    expect(wasInterrupted()).toBe(true);
  });

  it('is not held to the end of an endless line', async () => {
    const { terminal, type } = setUp(false);
    const read = readSecret('Password: ', terminal);
    type('x'.repeat(limits.passwordCharactersMax + 1));
    await expect(read).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

it('a new password is typed twice on a terminal, and the same', async () => {
  for (const [second, want] of [
    ['secret', 'secret'],
    ['other', undefined],
  ]) {
    const { terminal, type, shown } = setUp(true);
    const read = readNewPassword('ann', terminal);
    type('secret\r');
    await new Promise((resolve) => setImmediate(resolve));
    type(`${second}\r`);
    if (want === undefined) await expect(read).rejects.toMatchObject({ code: 'invalid_argument' });
    else expect(await read).toBe(want);
    expect(shown.join('')).not.toContain('secret');
  }
});

it('without a terminal a password of one’s own comes from the environment, or not at all', async () => {
  await expect(readOwnPassword('ann', setUp(false).terminal)).rejects.toMatchObject({ code: 'invalid_argument' });
});
