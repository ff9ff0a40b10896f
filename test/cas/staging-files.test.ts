// Both staging areas, from outside; what a crash leaves of one is tested with the sessions, in test/fault/.

import { describe, expect, it } from 'vitest';
import type { StagingArea } from '../../src/base/staging.js';
import { MemoryStaging } from '../../src/cas/memory-staging.js';
import { StagingFiles } from '../../src/cas/staging-files.js';
import { FaultFileSystem } from '../support/fault-file-system.js';

const areas: readonly { name: string; create: () => Promise<StagingArea> }[] = [
  { name: 'files', create: () => StagingFiles.open(new FaultFileSystem(), '/staging') },
  { name: 'memory', create: async () => new MemoryStaging() },
];

const text = (value: string) => new TextEncoder().encode(value);

describe.each(areas)('a staging area: $name', ({ create }) => {
  it('keeps bytes under a name', async () => {
    const area = await create();
    const staged = (await area.open('one.0', 0))!;
    await staged.append(text('abc'));
    await staged.append(text(''));
    await staged.append(text('def'));
    await staged.sync();
    expect(staged.size).toBe(6);
    await staged.close();
    const again = (await area.open('one.0', 6))!;
    expect(Buffer.from(await again.read({ start: 2, end: 5 })).toString()).toBe('cde');
    expect(await area.names()).toEqual(['one.0']);
    await again.close();
  });

  it('cuts off what lies behind the size asked for, and goes on there', async () => {
    const area = await create();
    const staged = (await area.open('one', 0))!;
    await staged.append(text('abcdef'));
    await staged.close();
    const shorter = (await area.open('one', 2))!;
    await shorter.append(text('x'));
    expect(Buffer.from(await shorter.read({ start: 0, end: 3 })).toString()).toBe('abx');
    await shorter.close();
    expect(await area.open('one', 4)).toBeUndefined();
    expect((await area.open('one', 0))!.size).toBe(0);
  });

  it('has nothing under a name that was removed', async () => {
    const area = await create();
    await (await area.open('one', 0))!.append(text('a'));
    await area.remove('one');
    await area.remove('one');
    expect(await area.open('one', 1)).toBeUndefined();
    expect(await area.names()).toEqual([]);
  });
});
