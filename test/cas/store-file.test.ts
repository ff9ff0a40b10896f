import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CairnError, errorCode } from '../../src/base/errors.js';
import { systemRandom } from '../../src/base/random.js';
import { openStoreFile, type StoreFile } from '../../src/cas/store-file.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';

let root: string;
let directory: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cairn-store-file-'));
  directory = join(root, 'deep', 'data');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const open = () => openStoreFile({ fs: nodeFileSystem, directory, random: systemRandom });

async function codeOf(work: () => Promise<StoreFile>): Promise<string> {
  const result = await work().catch((error: unknown) => error);
  if (result instanceof Error) return errorCode(result);
  await (result as StoreFile).release();
  return 'no error';
}

function sealed(body: string): string {
  return `${body}crc ${crc32(body).toString(16).padStart(8, '0')}\n`;
}

const id = '0123456789abcdef0123456789abcdef';
const zero = '00000000';

function storeText(change: (lines: Record<string, string>) => void = () => {}): string {
  const lines = { store: id, format: '1', compatible: zero, 'read-only': zero, incompatible: zero };
  change(lines);
  return sealed(
    `CAIRN blob store\n${Object.entries(lines)
      .map((line) => `${line.join(' ')}\n`)
      .join('')}`,
  );
}

describe('the store file', () => {
  test('is made on first use and keeps its id', async () => {
    const first = await open();
    expect(first.id).toMatch(/^[0-9a-f]{32}$/);
    await first.release();
    await first.release();
    expect((await readdir(directory)).sort()).toEqual(['CAIRN', 'LOCK']);
    const text = await readFile(join(directory, 'CAIRN'), 'latin1');
    expect(text).toBe(storeText((lines) => (lines.store = first.id)));
    const second = await open();
    expect(second.id).toBe(first.id);
    await second.release();
    expect(await readFile(join(directory, 'CAIRN'), 'latin1')).toBe(text);
  });

  test('is held by one at a time, who is named', async () => {
    const held = await open();
    const refused = await open().catch((error: unknown) => error);
    expect(errorCode(refused)).toBe('failed_precondition');
    expect((refused as CairnError).message).toContain(directory);
    expect((refused as CairnError).message).toContain(String(process.pid));
    await held.release();
    expect(await codeOf(open)).toBe('no error');
  });

  test('is free again when its holder was killed', async () => {
    await (await open()).release();
    const script = `
      const lock = require('fs-native-extensions');
      const fd = require('fs').openSync(${JSON.stringify(join(directory, 'LOCK'))}, 'r+');
      if (!lock.tryLock(fd)) process.exit(1);
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawnSync(process.execPath, ['-e', script], { cwd: process.cwd() });
    expect(child.signal).toBe('SIGKILL');
    expect(await codeOf(open)).toBe('no error');
  });

  const texts: { name: string; text: string; want: string }[] = [
    { name: 'as written', text: storeText(), want: 'no error' },
    { name: 'an unknown compatible bit', text: storeText((l) => (l.compatible = '00000001')), want: 'no error' },
    { name: 'an unknown line', text: storeText((l) => (l.color = 'grey')), want: 'no error' },
    {
      name: 'an unknown read-only bit',
      text: storeText((l) => (l['read-only'] = '00000001')),
      want: 'failed_precondition',
    },
    {
      name: 'an unknown incompatible bit',
      text: storeText((l) => (l.incompatible = '80000000')),
      want: 'failed_precondition',
    },
    { name: 'a newer format', text: storeText((l) => (l.format = '2')), want: 'failed_precondition' },
    { name: 'nothing', text: '', want: 'corrupt' },
    { name: 'another checksum', text: storeText().replace(/crc .{8}/, 'crc 00000000'), want: 'corrupt' },
    {
      name: 'another first line',
      text: sealed(
        storeText()
          .replace('CAIRN', 'CAIRO')
          .replace(/crc .*\n/, ''),
      ),
      want: 'corrupt',
    },
    { name: 'no store id', text: storeText((l) => Reflect.deleteProperty(l, 'store')), want: 'corrupt' },
    { name: 'a format that is no number', text: storeText((l) => (l.format = 'one')), want: 'corrupt' },
    { name: 'bits that are none', text: storeText((l) => (l.incompatible = 'x')), want: 'corrupt' },
    { name: 'more text than any has', text: storeText((l) => (l.long = 'x'.repeat(5000))), want: 'corrupt' },
  ];
  test.each(texts)('with $name: $want', async ({ text, want }) => {
    await (await open()).release();
    await writeFile(join(directory, 'CAIRN'), text, 'latin1');
    expect(await codeOf(open)).toBe(want);
    // A refusal gives the lock back.
    await writeFile(join(directory, 'CAIRN'), storeText());
    expect(await codeOf(open)).toBe('no error');
  });

  test('damaged bytes are corrupt', async () => {
    const random = seededRandom(testSeed('damaged store files'));
    await (await open()).release();
    for (let round = 0; round < 100 * testRounds(); round++) {
      let bytes = Buffer.from(storeText());
      if (random.chance(0.7)) bytes[random.below(bytes.length)]! ^= random.between(1, 255);
      else if (random.chance(0.5)) bytes = bytes.subarray(0, random.below(bytes.length));
      else bytes = Buffer.from(random.bytes(random.below(6000)));
      await writeFile(join(directory, 'CAIRN'), bytes);
      expect(await codeOf(open), JSON.stringify(bytes.toString('latin1'))).toBe('corrupt');
    }
  });

  test('after a crash at any operation the next start has a store, and what was answered stays', async () => {
    const seed = testSeed('crash while a store is made');
    for (let operation = 1; ; operation++) {
      const fs = new FaultFileSystem(seed);
      fs.inject = ({ number }) => (number === operation ? 'crash' : undefined);
      const random = seededRandom(seed);
      const opened = await openStoreFile({ fs, directory: '/data', random }).catch(() => undefined);
      fs.stop();
      for (let variant = 0; variant < 8; variant++) {
        const next = await openStoreFile({ fs: fs.crash(seed + variant), directory: '/data', random });
        if (opened !== undefined) expect(next.id).toBe(opened.id);
      }
      if (opened !== undefined && operation > 20) break;
    }
  });

  test('a full disk does not keep an existing store from opening', async () => {
    const fs = new FaultFileSystem(1);
    const parts = { fs, directory: '/data', random: systemRandom };
    const { id, release } = await openStoreFile(parts);
    await release();
    fs.inject = ({ name }) => (name === 'write' || name === 'truncate' ? 'no_space' : undefined);
    const again = await openStoreFile(parts);
    expect(again.id).toBe(id);
    await again.release();
    expect(await codeOf(() => openStoreFile(parts))).toBe('no error');
  });
});
