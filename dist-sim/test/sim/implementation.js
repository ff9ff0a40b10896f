// What the simulator runs: the product's code, or a copy of its compiled form with one bug planted in it. The product knows
// nothing of this.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RaftDriver } from '../../src/raft/raft-driver.js';
import { emptyLog, foundingGroup, joiningGroup, recoverRaft } from '../../src/raft/recovery.js';
export const realImplementation = { RaftDriver, recoverRaft, emptyLog, foundingGroup, joiningGroup };
/** `compiled`: the directory with the compiled `raft` and `base`. The copy is loaded and then removed. */
export async function mutatedImplementation(compiled, mutations) {
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
            writeFileSync(join(directory, 'raft', file), text);
        }
        if (left.size > 0)
            throw new Error(`no such file: ${[...left].map(({ file }) => file).join(', ')}`);
        const load = (file) => import(pathToFileURL(join(directory, 'raft', file)).href);
        const [driver, recovery] = (await Promise.all([load('raft-driver.js'), load('recovery.js')]));
        return { ...recovery, RaftDriver: driver.RaftDriver };
    }
    finally {
        rmSync(directory, { recursive: true });
    }
}
