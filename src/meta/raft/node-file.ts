// Who this node is, on its disk. The id is made once, at random, and never given to another: others remember what it promised.
// A node that has begun to take part must never do so again without its log.

import { join } from 'node:path';
import { CairnError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { FileSystem } from '../../log/file-system.js';
import { replaceFile } from '../../log/replace-file.js';
import type { NodeId } from '../../raft/node-id.js';
import { readSmallFile } from './small-file.js';

export interface NodeIdentity {
  readonly id: NodeId;
  readonly name: string;
  /** It has a log, in which it may have promised something. */
  readonly hasBegun: boolean;
}

const fileName = 'NODE';

/** `failed_precondition` when the directory is that of a node of another name. */
export async function openNodeFile(
  fs: FileSystem,
  directory: string,
  name: string,
  random: Random,
): Promise<NodeIdentity> {
  await fs.makeDirectory(directory);
  const found = await readNodeFile(fs, directory);
  if (found !== undefined && found.name !== name) {
    throw new CairnError(
      'failed_precondition',
      `${directory} is that of the node ${found.name}, not of ${name}: a node keeps its name`,
    );
  }
  if (found !== undefined) return found;
  // Never 0, which stands for nobody.
  const id = 1 + Buffer.from(random.bytes(6)).readUIntBE(0, 6);
  const made = { id, name, hasBegun: false };
  await writeNodeFile(fs, directory, made);
  return made;
}

/** Durable when it resolves. */
export function writeNodeFile(fs: FileSystem, directory: string, identity: NodeIdentity): Promise<void> {
  return replaceFile(fs, join(directory, fileName), Buffer.from(`${JSON.stringify(identity)}\n`));
}

/** Undefined where there is none. */
export async function readNodeFile(fs: FileSystem, directory: string): Promise<NodeIdentity | undefined> {
  const path = join(directory, fileName);
  const bytes = await readSmallFile(fs, path);
  if (bytes === undefined) return undefined;
  try {
    const { id, name, hasBegun } = JSON.parse(`${bytes}`) as NodeIdentity;
    if (!Number.isSafeInteger(id) || id < 1 || typeof name !== 'string') throw new Error('it names no node');
    return { id, name, hasBegun };
  } catch (cause) {
    throw new CairnError('corrupt', `${path} cannot be read`, { cause });
  }
}
