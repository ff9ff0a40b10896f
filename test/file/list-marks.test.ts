import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { ListMarks } from '../../src/file/list-marks.js';
import type { KvStore } from '../../src/meta/kv.js';
import { withFiles } from '../support/file-service.js';

const key = Uint8Array.of(7);

describe('marks of a list', () => {
  it('are the nearest before a page, of the same prefix, and of one revision alone', () => {
    const marks = new ListMarks();
    marks.turnTo(3);
    marks.remember(3, 'a', 100, 20, key);
    marks.remember(3, 'a', 100, 40, key);
    marks.remember(2, 'a', 100, 60, key);
    expect(marks.total('a')).toBe(100);
    expect(marks.nearest('a', 39).passed).toBe(20);
    expect(marks.nearest('a', 80).passed).toBe(40);
    expect(marks.nearest('a', 19)).toEqual({ passed: 0, after: undefined });
    expect(marks.nearest('b', 80).passed).toBe(0);
    marks.turnTo(4);
    expect(marks.nearest('a', 80).passed).toBe(0);
    expect(marks.total('a')).toBeUndefined();
  });

  it('are no more than there may be', () => {
    const marks = new ListMarks();
    marks.turnTo(1);
    for (let i = 0; i <= limits.listMarksCountMax; i++) marks.remember(1, `${i}`, 1, 1, key);
    expect(marks.total('0')).toBeUndefined();
    expect(marks.total(`${limits.listMarksCountMax}`)).toBe(1);
  });

  it('make turning pages cost a page each, until a file changes', () =>
    withFiles(async ({ files, parts: { kv } }) => {
      let rows = 0;
      const range = kv.range.bind(kv);
      Object.assign(kv, {
        range: async (...asked: Parameters<KvStore['range']>) => {
          const answer = await range(...asked);
          if (Buffer.from(asked[0].start).includes('name')) rows += answer.items.length;
          return answer;
        },
      });
      for (let i = 0; i < 30; i++) await files.upload(`name-${i + 10}`, new Uint8Array(1));
      const names: string[] = [];
      for (let page = 1; page <= 6; page++) {
        const { items, total } = await files.list({ prefix: 'name', page, pageSize: 5 });
        expect(total).toBe(30);
        names.push(...items.map(({ name }) => name));
      }
      expect(names).toEqual(Array.from({ length: 30 }, (_, i) => `name-${i + 10}`));
      expect(rows).toBe(30);
      await files.upload('name-05', new Uint8Array(1));
      const [first] = (await files.list({ prefix: 'name', page: 6, pageSize: 5 })).items;
      expect(first!.name).toBe('name-34');
      expect((await files.list({ prefix: 'name', page: 7, pageSize: 5 })).total).toBe(31);
    }));
});
