// What the simulator runs: the product's code, or a copy of its compiled form with one bug planted in it. The product knows
// nothing of this.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RaftDriver } from '../../src/raft/raft-driver.js';
import { emptyLog, foundingGroup, joiningGroup, recoverRaft } from '../../src/raft/recovery.js';
import type { AppliedState } from './sim-state-machine.js';

export type Driver = RaftDriver<boolean, AppliedState>;

export interface Implementation {
  readonly RaftDriver: new (...parts: ConstructorParameters<typeof RaftDriver<boolean, AppliedState>>) => Driver;
  readonly recoverRaft: typeof recoverRaft;
  readonly emptyLog: typeof emptyLog;
  readonly foundingGroup: typeof foundingGroup;
  readonly joiningGroup: typeof joiningGroup;
}

export const realImplementation: Implementation = { RaftDriver, recoverRaft, emptyLog, foundingGroup, joiningGroup };

/** A change of the compiled code: in this file, what is found exactly once is replaced. */
export interface Mutation {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** `compiled`: the directory with the compiled `raft` and `base`. The copy is loaded and then removed. */
export async function mutatedImplementation(compiled: string, mutations: readonly Mutation[]): Promise<Implementation> {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-planted-'));
  try {
    writeFileSync(join(directory, 'package.json'), '{"type": "module"}');
    symlinkSync(join(compiled, 'base'), join(directory, 'base'));
    mkdirSync(join(directory, 'raft'));
    const left = new Set(mutations);
    for (const file of readdirSync(join(compiled, 'raft')).filter((name) => name.endsWith('.js'))) {
      let text = readFileSync(join(compiled, 'raft', file), 'utf8');
      for (const mutation of mutations.filter((each) => each.file === file)) {
        const pieces = text.split(mutation.find);
        if (pieces.length !== 2) {
          throw new Error(`${file} has ${pieces.length - 1} places like ${JSON.stringify(mutation.find)}`);
        }
        text = pieces.join(mutation.replace);
        left.delete(mutation);
      }
      // Its source map is not where it would be looked for.
      writeFileSync(join(directory, 'raft', file), text.replace(/\n\/\/# sourceMappingURL=.*/, ''));
    }
    if (left.size > 0) throw new Error(`no such file: ${[...left].map(({ file }) => file).join(', ')}`);
    const load = (file: string) => import(pathToFileURL(join(directory, 'raft', file)).href);
    const [driver, recovery] = (await Promise.all([load('raft-driver.js'), load('recovery.js')])) as [
      Pick<Implementation, 'RaftDriver'>,
      Omit<Implementation, 'RaftDriver'>,
    ];
    return { ...recovery, RaftDriver: driver.RaftDriver };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
