// What the log is made of. Indexes and terms are whole numbers that begin at 1; 0 stands for "before the first".

import type { Configuration } from './configuration.js';
import type { NodeId } from './node-id.js';

/**
 * `noop` opens a leader's term, `command` is the state machine's, `config` changes who belongs to the group, `version`
 * raises the cluster version.
 */
export type EntryKind = 'noop' | 'command' | 'config' | 'version';

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /** The cluster version from which on this kind of data is understood. No leader appends it before that is reached. */
  readonly version: number;
  readonly data: Uint8Array;
}

/** What a node must not forget. Written in one atomic batch with the entries that it came with. */
export interface HardState {
  readonly term: number;
  /** Who was voted for in this term, or `nobody`. */
  readonly vote: NodeId;
  /**
   * Entries up to here were known to be committed. A change of it alone is never written, but every batch of entries brings
   * it along: a node whose log holds a change of members must remember that the change before it was committed.
   */
  readonly commit: number;
}

/** What the group was once the entry at `index` had been applied. It is kept with the applied state, and heads a snapshot. */
export interface GroupState {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
  readonly clusterVersion: number;
}

/** What an entry takes beside its data, in memory and on the wire, roughly. */
const entryOverheadBytes = 32;

export function entryBytes(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}
