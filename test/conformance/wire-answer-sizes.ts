// Answers that would be larger than answers may be are cut, by the size they have in the encoding that was asked for.

import { Code } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { file, sorted } from '../support/trees.js';
import { freshBlob } from './wire-blobs.js';
import type { WireCaller } from './wire-caller.js';
import type { Face } from './wire-faces.js';
import { plantTree } from './wire-plant.js';

export function answerSizesSuite(face: Face, caller: () => WireCaller): void {
  it('ListTree keeps to the size of an answer', async () => {
    const long = Array.from({ length: 1200 }, (_, i) => file(`${`${'"'.repeat(200)}/`.repeat(18)}${i}`));
    const tree = await plantTree(caller(), long);
    const listed: string[] = [];
    let pageToken = '';
    let pages = 0;
    do {
      const page = await caller().trees.listTree({ tree, pageSize: 10_000, pageToken });
      listed.push(...page.items.map(({ relativePath }) => relativePath));
      pageToken = page.nextPageToken;
      pages++;
    } while (pageToken !== '');
    expect(listed).toEqual(sorted(long).map(({ path }) => path));
    expect(pages).toBe(face.isJson ? 3 : 2);
  });

  it('BatchRead keeps to the size of an answer', async () => {
    const blobs = await Promise.all([1, 2, 3].map(() => caller().stored(freshBlob(1_000_000))));
    const small = await caller().stored(freshBlob(100));
    const large = await caller().stored(freshBlob(limits.answerBytesMax));
    const { items } = await caller().blobs.batchRead({
      digests: [large, ...blobs, ...blobs, small].map(({ message }) => message),
    });
    const full = Code.ResourceExhausted;
    expect(items.map(({ status }) => status?.code)).toEqual(
      face.isJson ? [full, 0, 0, full, full, full, full, 0] : [full, 0, 0, 0, full, full, full, 0],
    );
  });
}
