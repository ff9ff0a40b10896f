// What becomes of a server whose metadata thread fails: threads that do nothing but that.

import { expect, it, vi } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { startRaftThread } from '../../src/server/raft-thread.js';

// Threads load compiled code alone.
const threadLink = new URL('../../dist/server/thread-link.js', import.meta.url);

/** Answers that it is open, and does this. */
function thread(work: string): URL {
  const code = `
    import { parentPort } from 'node:worker_threads';
    import { ThreadLink } from '${threadLink}';
    const link = new ThreadLink(parentPort, { open: () => void (${work}), close: () => {} });`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

const logger = { info: () => {}, warn: () => {}, fatal: () => {} };
const data = {} as Parameters<typeof startRaftThread>[0]['data'];

it.each([
  { name: 'throws', work: "setTimeout(() => { throw new Error('broken'); })" },
  { name: 'ends', work: 'setTimeout(() => process.exit(0))' },
])('a thread that $name is told of once, and answers nothing any more', async ({ work }) => {
  const onFailed = vi.fn();
  const { kv } = await startRaftThread({ data, logger, onFailed, script: thread(work) });
  await vi.waitFor(() => expect(onFailed).toHaveBeenCalledTimes(1));
  expect(await kv.get(new Uint8Array(1)).catch(errorCode)).toBe('unavailable');
  await kv.close();
  expect(onFailed).toHaveBeenCalledTimes(1);
});

it('a node that says it has failed is told of once', async () => {
  const say = "link.tell('failed', { code: 'storage', message: 'the disk is gone' })";
  const onFailed = vi.fn();
  const { kv } = await startRaftThread({ data, logger, onFailed, script: thread(`${say}, ${say}`) });
  await vi.waitFor(() => expect(onFailed).toHaveBeenCalledTimes(1));
  await kv.close();
  expect(onFailed).toHaveBeenCalledTimes(1);
});

it('one that is closed has not failed', async () => {
  const onFailed = vi.fn();
  const { kv } = await startRaftThread({ data, logger, onFailed, script: thread('0') });
  await kv.close();
  expect(onFailed).not.toHaveBeenCalled();
});
