// Tests whose vectors or programs do not come with the project. Where they are missing the suite is skipped and says so
// on standard error; with CAIRN_REQUIRE_ALL=1 it fails. Published vectors and contract documents are looked for in
// CAIRN_SHARED, or in `../shared` beside the project.

import { existsSync } from 'node:fs';
import { describe, it } from 'vitest';
import { projectRoot } from './project-root.js';

/** Where a shared file is; undefined when this machine does not have it. */
export function sharedPath(name: string): string | undefined {
  const directory = process.env.CAIRN_SHARED ?? `${projectRoot}/../shared`;
  const path = `${directory}/${name}`;
  return existsSync(path) ? path : undefined;
}

/** Describes a suite that needs something from outside the project: runs it with that, skips it loudly without. */
export function describeWith<T>(name: string, needs: string, found: T | undefined, suite: (found: T) => void): void {
  if (found !== undefined) {
    describe(name, () => suite(found));
  } else if (process.env.CAIRN_REQUIRE_ALL === '1') {
    describe(name, () => {
      it(`has ${needs}`, () => {
        throw new Error(`${needs} is missing, and CAIRN_REQUIRE_ALL=1 asks for everything`);
      });
    });
  } else {
    process.stderr.write(`SKIPPED ${name}: ${needs} is missing\n`);
    describe.skip(`${name} (${needs} is missing)`, () => {
      it('is skipped', () => {});
    });
  }
}
