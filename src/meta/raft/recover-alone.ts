// The way back after the loss of a majority: what one node has left becomes a group of its own, with a new name, so that nobody
// of the old group can speak in it. Everything in its log counts, whether it was known to be committed or not. What only the
// lost nodes had is lost.

import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { FileSystem } from '../../log/file-system.js';
import { votersOnly } from '../../raft/configuration.js';
import { nobody } from '../../raft/node-id.js';
import { type Group, type Member, newestVersion, refuseNewer } from './group.js';
import { KvStateMachine } from './kv-state-machine.js';
import { readNodeFile } from './node-file.js';
import { RaftLogStore } from './raft-log-store.js';
import { SnapshotShelf } from './snapshot-shelf.js';

export interface RecoverParts {
  /** Of the node, which must not run. */
  readonly directory: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Recovered {
  readonly self: Member;
  /** Who is no longer of the group. */
  readonly lost: readonly Member[];
  /** Index of the last entry. */
  readonly index: number;
}

/** `not_found` where there is no node of a group. May be called again after it failed. */
export async function recoverAlone({ directory, fs, clock, random }: RecoverParts): Promise<Recovered> {
  const identity = await readNodeFile(fs, directory);
  if (identity?.hasBegun !== true) throw new CairnError('not_found', `${directory} holds no node of a group`);
  const shelf = await SnapshotShelf.open(fs, join(directory, 'snapshots'));
  const { store, stored } = await RaftLogStore.open({ fs, directory: join(directory, 'log'), random, clock });
  try {
    if (stored === undefined) throw new CairnError('corrupt', 'the node has lost its log');
    const machine = await KvStateMachine.open(
      {
        fs,
        directory: join(directory, 'state'),
        shelf,
        onReplaced: () => {},
        onGroup: () => {},
        refuse: (group) => refuseNewer(group, identity.name, newestVersion),
      },
      () => Promise.reject(new CairnError('corrupt', 'the node has lost its state')),
    );
    try {
      await machine.applyAll(stored.entries);
      const { members } = machine.group;
      const self = members.find(({ id }) => id === identity.id);
      if (self === undefined) throw new CairnError('failed_precondition', `${identity.name} is no member of its group`);
      const group: Group = {
        ...machine.group,
        configuration: votersOnly([identity.id]),
        members: [self],
        groupId: Buffer.from(random.bytes(8)).toString('hex'),
      };
      await machine.rewriteGroup(group);
      const { index, term } = group;
      const hardState = { term: Math.max(term, stored.hardState.term), vote: nobody, commit: index };
      await store.begin({ hardState, base: { index, term }, entries: [] });
      return { self, lost: members.filter(({ id }) => id !== identity.id), index };
    } finally {
      await machine.close();
    }
  } finally {
    await store.close();
  }
}
