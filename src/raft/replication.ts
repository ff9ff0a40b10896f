// How a leader brings its log to the others, and finds what is committed. Only entries of its own term are counted; those
// before them are committed along. The leader's own disk counts as any other: when it has acknowledged.

import { type Entry, type EntryKind, entryBytes } from './entry.js';
import type { NodeId } from './node-id.js';
import type { Progress } from './progress.js';
import { quorumIndex } from './quorum.js';
import type { LeaderRole, RaftState } from './raft-state.js';

/** Appends one entry to the leader's log. The caller has checked every limit. */
export function appendOwn(
  state: RaftState,
  leader: LeaderRole,
  kind: EntryKind,
  version: number,
  data: Uint8Array,
): Entry {
  const entry = { index: state.log.lastIndex + 1, term: state.term, kind, version, data };
  state.log.append([entry]);
  leader.hasNews = true;
  return entry;
}

/** Tells everyone of new entries and of what is committed now: once for all that happened since it was called last. */
export function sendNews(state: RaftState, leader: LeaderRole): void {
  if (!leader.hasNews) return;
  leader.hasNews = false;
  for (const id of leader.progress.keys()) {
    if (id === state.id) continue;
    sendAppend(state, leader, id, true);
    sendAppends(state, leader, id);
  }
}

/**
 * Sends the next entries, or an empty message that says what is committed, to one member. Nothing when it is paused.
 * `evenEmpty` false: nothing either when there are no entries to send.
 */
export function sendAppend(state: RaftState, leader: LeaderRole, to: NodeId, evenEmpty: boolean): boolean {
  const progress = leader.progress.get(to)!;
  const { log, options } = state;
  if (progress.isPaused(options.limits)) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevIndex < log.baseIndex || prevTerm === undefined) return sendSnapshot(state, leader, to, progress);
  const entries = log.slice(progress.next, log.lastIndex, options.limits.messageBytesMax);
  if (entries.length === 0 && !evenEmpty) return false;
  state.send({ type: 'append', to, prevIndex, prevTerm, entries, commit: log.commit });
  if (entries.length > 0 || progress.state === 'probe') {
    progress.sent(
      entries.at(-1)?.index ?? prevIndex,
      entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0),
    );
  }
  return true;
}

/**
 * Asks a member whose window is full whether it still follows: what is on its way may be lost. If it is, the answer is a
 * rejection, and entries are sent again from where the logs meet.
 */
export function sendQuestion(state: RaftState, leader: LeaderRole, to: NodeId): void {
  const progress = leader.progress.get(to)!;
  const prevIndex = progress.next - 1;
  const prevTerm = state.log.termAt(prevIndex);
  if (prevTerm === undefined) {
    // What is on its way has been compacted since: it cannot be sent again.
    progress.becomeProbe();
    sendAppend(state, leader, to, true);
    return;
  }
  state.send({ type: 'append', to, prevIndex, prevTerm, entries: [], commit: state.log.commit });
}

/** Sends as much as the member's window allows. */
export function sendAppends(state: RaftState, leader: LeaderRole, to: NodeId): void {
  while (leader.progress.get(to)?.state === 'replicate' && sendAppend(state, leader, to, false));
}

/** Offers the newest snapshot. The host is asked for one when there is none from which the log goes on. */
function sendSnapshot(state: RaftState, leader: LeaderRole, to: NodeId, progress: Progress): boolean {
  // A node that is not there would fetch nothing, and what it needs would be kept for nothing.
  if (progress.state !== 'snapshot' && !progress.recentlyActive) return false;
  const { snapshot } = leader;
  if (snapshot === undefined || snapshot.index < state.log.baseIndex) {
    state.snapshotWanted = true;
    return false;
  }
  progress.becomeSnapshot(snapshot.index);
  state.send({ type: 'snapshot', to, snapshot });
  return true;
}

/**
 * Offers the snapshot again and again, since an offer or the answer may be lost; a member that is fetching it takes no harm.
 * All the while the entries behind it are kept, until the member is silent.
 */
export function tickSnapshots(state: RaftState, leader: LeaderRole): void {
  const { electionTicks } = state.options;
  for (const [id, progress] of leader.progress) {
    if (progress.state !== 'snapshot') continue;
    if (++progress.silentTicks >= 2 * electionTicks) progress.becomeProbe();
    else if (++progress.snapshotTicks >= electionTicks) sendSnapshot(state, leader, id, progress);
  }
}

/** Commits what a majority holds durably, if it is of this term. True when that is more than before. */
export function advanceCommit(state: RaftState, leader: LeaderRole): boolean {
  const index = quorumIndex(state.configuration, (id) => leader.progress.get(id)?.match ?? 0);
  if (index <= state.log.commit || !Number.isFinite(index) || state.log.termAt(index) !== state.term) return false;
  state.log.commitTo(index);
  leader.hasNews = true;
  return true;
}
