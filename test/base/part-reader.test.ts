// With a real parser of multipart bodies. What forms make of it is in test/api/http/v1/multipart-body.test.ts, what batch downloads
// do in test/client/files/batch.test.ts.

import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Dicer } from '@fastify/busboy';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import { PartReader } from '../../src/base/part-reader.js';

function dicerReader(): PartReader<object> {
  const dicer = new Dicer({ boundary: 'b' });
  const reader = new PartReader<object>(dicer);
  dicer.on('part', (part) => part.once('header', () => reader.arrive(part, {})));
  dicer.on('finish', () => reader.finish());
  return reader;
}

const part = (content: string) => Buffer.from(`--b\r\nX: y\r\n\r\n${content}\r\n`);

describe('parts of a body', () => {
  it('that are smaller than a piece are not gathered for a slow reader', async () => {
    let asked = 0;
    async function* body() {
      for (; asked < 100; asked++) yield part('x'.repeat(1000));
      yield Buffer.from('--b--');
    }
    const reader = dicerReader();
    void reader.pump(body());
    let read = 0;
    let mostAhead = 0;
    while ((await reader.next()) !== undefined) {
      read++;
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      mostAhead = Math.max(mostAhead, asked - read);
    }
    expect(read).toBe(100);
    expect(mostAhead).toBeLessThanOrEqual(2);
  });

  it('many in one piece are read all the same', async () => {
    const reader = dicerReader();
    async function* body() {
      yield Buffer.concat([...Array.from({ length: 50 }, (_, i) => part(`${i}`)), Buffer.from('--b--')]);
    }
    void reader.pump(body());
    const contents: string[] = [];
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      const pieces: Uint8Array[] = [];
      for await (const piece of found.body) pieces.push(piece);
      contents.push(`${Buffer.concat(pieces)}`);
    }
    expect(contents).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  });

  it('that are met behind what is wrong with it fail as it does, and keep nobody waiting', async () => {
    const reader: PartReader<object> = new PartReader<object>({
      write() {
        reader.fail(new CairnError('too_large', 'more fields than a form may have'));
        reader.arrive(new PassThrough(), {});
      },
      end() {},
    });
    void reader.pump(
      (async function* () {
        yield Buffer.from('all of it');
      })(),
    );
    const read = async () => {
      for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
        for await (const _piece of found.body);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'too_large' });
  });
});
