import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import { type Handlers, ThreadLink } from '../../src/server/thread-link.js';

let ports: { port1: MessagePort; port2: MessagePort };
const told: string[] = [];

const handlers: Handlers = {
  double: (number: number) => 2 * number,
  note: (word: string) => void told.push(word),
  refuse: () => {
    throw new CairnError('conflict', 'no', { subject: { kind: 'file', id: 'a' } });
  },
  break: () => {
    throw new TypeError('a defect');
  },
  wait: (_question: undefined, signal: AbortSignal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve('given up'))),
};

function linked(): ThreadLink {
  new ThreadLink(ports.port1, handlers);
  return new ThreadLink(ports.port2, {});
}

beforeEach(() => {
  ports = new MessageChannel();
});
afterEach(() => ports.port1.close());

describe('ThreadLink', () => {
  it('answers many questions, and keeps what is told in order with them', async () => {
    const link = linked();
    link.tell('note', 'before');
    const answers = await Promise.all([1, 2, 3].map((number) => link.ask('double', number)));
    expect(answers).toEqual([2, 4, 6]);
    expect(told).toEqual(['before']);
  });

  it('fails with the code and the subject of the other side, and with internal for anything else', async () => {
    const link = linked();
    await expect(link.ask('refuse', undefined)).rejects.toMatchObject({ code: 'conflict', subject: { kind: 'file' } });
    await expect(link.ask('break', undefined)).rejects.toMatchObject({ code: 'internal' });
  });

  it('tells the other side when an answer is not wanted any more', async () => {
    const link = linked();
    const stop = new AbortController();
    const waiting = link.ask('wait', undefined, stop.signal);
    stop.abort();
    expect(await waiting).toBe('given up');
    expect(await link.ask('wait', undefined, AbortSignal.abort())).toBe('given up');
  });

  it('leaves nobody waiting when the other side has ended', async () => {
    const link = linked();
    const waiting = link.ask('wait', undefined);
    link.end();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await expect(link.ask('double', 1)).rejects.toMatchObject({ code: 'unavailable' });
    link.tell('note', 'nobody hears');
  });
});
