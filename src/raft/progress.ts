// What a leader knows of one member's log, and how much may be on the way to it.
//
//   probe      where the logs meet is not known: one message at a time
//   replicate  messages are sent ahead of their answers, up to a number and a number of bytes
//   snapshot   the member needs entries that are gone: nothing is sent until it has a snapshot

import type { Configuration } from './configuration.js';
import { membersOf } from './configuration.js';
import type { NodeId } from './node-id.js';

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

interface InflightLimits {
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
}

export class Progress {
  state: ProgressState = 'probe';
  /** The member has everything up to here, durably. Below `next`. */
  match = 0;
  /** The first entry to send next. */
  next: number;
  /** The snapshot offered. Only of state `snapshot`. */
  pendingSnapshot = 0;
  /** Ticks since the snapshot was offered. */
  snapshotTicks = 0;
  /** Ticks since it was heard of, while a snapshot is offered to it. */
  silentTicks = 0;
  /** Heard of since the last check for a quorum. */
  recentlyActive = false;
  /** The last question "am I still the leader?" that it answered. */
  round = 0;
  /** The newest version of entries it understands; 0 until it said so. */
  versionMax = 0;
  /** A probe is on its way. */
  probeSent = false;
  /** Last index and bytes of each message on its way, in order. Only of state `replicate`. */
  readonly #inflights: { readonly last: number; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(next: number) {
    this.next = next;
  }

  becomeProbe(): void {
    this.#reset('probe');
  }

  becomeReplicate(): void {
    this.#reset('replicate');
  }

  becomeSnapshot(index: number): void {
    if (this.state !== 'snapshot') this.silentTicks = 0;
    this.#reset('snapshot');
    this.pendingSnapshot = index;
  }

  #reset(state: ProgressState): void {
    this.state = state;
    this.next = this.match + 1;
    this.pendingSnapshot = 0;
    this.snapshotTicks = 0;
    this.probeSent = false;
    this.#inflights.length = 0;
    this.#inflightBytes = 0;
  }

  /** The member has answered something. */
  heard(): void {
    this.recentlyActive = true;
    this.silentTicks = 0;
  }

  /** Whether entries have to wait. */
  isPaused(limits: InflightLimits): boolean {
    if (this.state === 'probe') return this.probeSent;
    if (this.state === 'snapshot') return true;
    return this.#inflights.length >= limits.inflightMessagesMax || this.#inflightBytes >= limits.inflightBytesMax;
  }

  /** Entries up to `last` are on their way. */
  sent(last: number, bytes: number): void {
    if (this.state === 'replicate') {
      this.next = last + 1;
      this.#inflights.push({ last, bytes });
      this.#inflightBytes += bytes;
    } else {
      this.probeSent = true;
    }
  }

  /** The member has everything up to `index`. False: that was known. */
  accepted(index: number): boolean {
    while (this.#inflights.length > 0 && this.#inflights[0]!.last <= index) {
      this.#inflightBytes -= this.#inflights.shift()!.bytes;
    }
    if (this.next <= index) this.next = index + 1;
    if (index <= this.match) return false;
    this.match = index;
    this.probeSent = false;
    return true;
  }

  /** The member lacks the entry at `index`, and shares at most those up to `hint`. False: an answer to an older state. */
  rejected(index: number, hint: number): boolean {
    if (this.state === 'snapshot') return false;
    if (this.state === 'replicate') {
      if (index <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.next - 1 !== index) return false;
    this.next = Math.max(Math.min(index, hint + 1), this.match + 1);
    this.probeSent = false;
    return true;
  }
}

/** Makes the members of a configuration those that progress is kept of. New ones are probed from the log's end on. */
export function followConfiguration(
  progress: Map<NodeId, Progress>,
  configuration: Configuration,
  lastIndex: number,
): void {
  const members = membersOf(configuration);
  for (const id of progress.keys()) if (!members.includes(id)) progress.delete(id);
  for (const id of members) if (!progress.has(id)) progress.set(id, new Progress(Math.max(lastIndex, 1)));
}
