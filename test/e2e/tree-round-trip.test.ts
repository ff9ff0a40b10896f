// Random directories through `cairn sync` and `cairn checkout`, into nothing and over each other: they come back the same.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { snapshot } from '../support/file-tree.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const roundCount = 3;

let directory: string;
let server: CairnServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-round-trip-'));
  server = await startCairnServer(['--data', join(directory, 'data'), '--durability', 'memory']);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Few, so that a name is often a file here and a directory there; odd, and around what the order of paths hangs on. */
const names = [
  'a',
  'a-',
  'a.b',
  'a b',
  'A',
  'b',
  '-rf',
  '...',
  ' ',
  'new\nline',
  '"quoted"',
  'back\\slash',
  '*',
  'é',
  'e\u0301',
  '日本語',
  '🎉',
  '\uffee',
  'x'.repeat(255),
  '.cairn-0123456789abcdef0123456789abcdef.part',
  '.hidden',
  '\x7f\x01',
];

function makeEntries(random: SeededRandom, path: string, depth: number): void {
  mkdirSync(path, { recursive: true });
  const own = names.filter(() => random.chance(0.35));
  for (const name of own) {
    const entry = join(path, name);
    const dice = random.below(100);
    if (dice < 30 && depth < 5) makeEntries(random, entry, depth + 1);
    else if (dice < 45) symlinkSync(target(random, depth, own), entry);
    else {
      const size = random.pick([0, 0, 1, 100, 4096, 65_536, 65_537, dice < 55 ? 1_500_000 : 10]);
      writeFileSync(entry, random.bytes(size));
      chmodSync(entry, random.pick([0o644, 0o755, 0o444, 0o555]));
    }
  }
}

/** A link to somewhere in the tree: often to a neighbour, which may be a link as well, or lead nowhere. */
function target(random: SeededRandom, depth: number, neighbours: readonly string[]): string {
  const climb = Array.from({ length: random.between(0, depth) }, () => '..');
  return [...climb, random.pick(neighbours), ...(random.chance(0.3) ? [random.pick(names)] : [])].join('/');
}

async function run(args: readonly string[]) {
  const finished = await runCairn(args, { server: server.url });
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

const seed = testSeed('tree round trip');

it(
  'random directories come back the same, also over what was there',
  async () => {
    const random = seededRandom(seed);
    const over = join(directory, 'over');
    for (let round = 0; round < roundCount * testRounds(); round++) {
      const source = join(directory, `source-${round}`);
      makeEntries(random, source, 0);
      const deep = Array.from({ length: 120 }, (_, i) => `d${i}`);
      mkdirSync(join(source, ...deep), { recursive: true });
      if (random.chance(0.5)) writeFileSync(join(source, ...deep, 'file'), 'deep');

      const tree = (await run(['sync', source])).stdout.trim();
      const fresh = join(directory, `fresh-${round}`);
      await run(['checkout', tree, fresh]);
      await run(['checkout', tree, over, '--delete']);
      const want = await snapshot(source);
      for (const copy of [fresh, over]) {
        execFileSync('diff', ['-r', '--no-dereference', source, copy]);
        expect(await snapshot(copy)).toEqual(want);
        expect((await run(['verify', tree, copy])).stdout).toBe('');
      }
      expect((await run(['sync', over])).stdout.trim()).toBe(tree);
    }
  },
  120_000 * testRounds(),
);
