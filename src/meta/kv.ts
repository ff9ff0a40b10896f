// The one interface to metadata: a small, ordered, transactional key-value store with revisions, shaped like etcd's.
// Three engines implement it (LevelDB on this machine, our Raft group, an etcd cluster), and one conformance suite holds
// them to it. Every engine promises:
//   - a transaction is done as a whole or not at all, is durable when it is answered, and transactions have one order;
//   - one that changes something takes the next revision; one that changes nothing (it only read, or deleted what was not
//     there) takes none. Revisions are never reused, not even after a crash;
//   - reads see everything that was answered before they were asked (linearizable), unless they ask for `stale`;
//   - all methods may be called concurrently. Arrays handed in must not change until the call is answered.
// Errors, beside those named below: `invalid_argument` and `too_large` by the limits every engine shares (`check-txn.ts`),
// with nothing changed; `unavailable` and `timeout` when the engine cannot answer: a transaction may then have happened or
// not; `storage` and `no_space` when the disk fails.

/** A key's present value, or, read at an earlier revision, its value then. */
export interface KeyValue {
  /** 1 to `kvKeyBytesMax` bytes; ordered byte by byte. */
  readonly key: Uint8Array;
  /** Empty when only keys were asked for. */
  readonly value: Uint8Array;
  /** Revision of the put that made the key, or made it again after it was deleted. */
  readonly createRevision: number;
  /** Revision of the last put. */
  readonly revision: number;
  /** Puts since the key was made, that one included: 1 and up. */
  readonly version: number;
}

/**
 * The keys from `start`, included, to `end`, excluded; without `end`, the key `start` alone. An empty `end` means that
 * there is none: all keys from `start` on. An empty `start` is before all keys. See `prefixRange`.
 */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end?: Uint8Array | undefined;
}

export interface ReadOptions {
  /** Answer from what is at hand, which may be older than what has been answered. Cheaper on a cluster. */
  readonly stale?: boolean | undefined;
  /**
   * Read the state as it was right after this revision. `out_of_range` when it has been compacted or is still to come.
   */
  readonly revision?: number | undefined;
}

export interface PageOptions {
  /** At most so many keys: 1 to `kvPageCountMax`, which is also the default. */
  readonly limit?: number | undefined;
  /** Only keys greater than this one: the last of the page before. */
  readonly after?: Uint8Array | undefined;
  /** Leave values empty. */
  readonly keysOnly?: boolean | undefined;
}

export type RangeOptions = ReadOptions & PageOptions;

/** Keys in order. A page ends early once its keys and values have reached `kvPageBytesMax`. */
export interface Page {
  readonly items: readonly KeyValue[];
  /** The range has keys behind the last one here. Their number tells nothing: only this does. */
  readonly more: boolean;
}

export interface RangePage extends Page {
  /** The revision whose state this is: later pages asked at it fit this one, and a watch from the next misses nothing. */
  readonly revision: number;
}

export type Comparison = '=' | '!=' | '<' | '>';

/**
 * What must hold for `success`. An absent key has version, revision and createRevision 0, and no comparison of its value
 * holds. Values compare byte by byte.
 */
export type Compare =
  | { readonly key: Uint8Array; readonly target: 'value'; readonly is: Comparison; readonly value: Uint8Array }
  | {
      readonly key: Uint8Array;
      readonly target: 'version' | 'revision' | 'createRevision';
      readonly is: Comparison;
      readonly value: number;
    };

/**
 * Reads of a transaction see the state before all of its writes, wherever they stand. No key may be written twice, so no
 * two puts or deletes may overlap. One delete may hit `kvDeletedCountMax` keys.
 */
export type Operation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly range: KeyRange }
  | ({ readonly kind: 'range'; readonly range: KeyRange } & PageOptions);

export type OperationResult =
  | { readonly kind: 'put' }
  /** `deleted`: how many keys there were. */
  | { readonly kind: 'delete'; readonly deleted: number }
  | ({ readonly kind: 'range' } & Page);

/**
 * `success` is done when all `compares` hold, `failure` otherwise. Each of the three has at most `kvOperationsCountMax` members, and
 * their bytes together, as `check-txn.ts` counts them, are at most `kvTxnBytesMax`.
 */
export interface Txn {
  readonly compares?: readonly Compare[] | undefined;
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[] | undefined;
}

export interface TxnResult {
  /** All compares held. */
  readonly succeeded: boolean;
  /** The revision the transaction took; if it changed nothing, the one whose state it saw. */
  readonly revision: number;
  /** One for each operation of the branch that was taken, in order. */
  readonly results: readonly OperationResult[];
}

export type KvEvent =
  | { readonly kind: 'put'; readonly item: KeyValue }
  | { readonly kind: 'delete'; readonly key: Uint8Array; readonly revision: number };

/** All that one transaction changed in a watched range, in order of keys. Never empty, never a part. */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly KvEvent[];
}

export interface WatchOptions {
  /** The first revision of interest, 1 or more. May be past or still to come. */
  readonly from: number;
  /** Ends the watch with `canceled`. */
  readonly signal?: AbortSignal | undefined;
}

export type NodeRole = 'leader' | 'follower' | 'candidate' | 'learner';

export interface PeerStatus {
  readonly nodeId: string;
  /** Where other members reach it; empty when that is not known. */
  readonly address: string;
  /** Index of the next log entry to send it. */
  readonly nextIndex: number;
  /** Index of the last entry it is known to have. */
  readonly matchIndex: number;
}

export interface KvStatus {
  readonly engine: 'level' | 'raft' | 'etcd';
  /** The node that answers, or for etcd the member asked. */
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly term: number;
  /** Undefined while there is no leader. */
  readonly leaderId: string | undefined;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** The last revision that the answering node has applied. */
  readonly revision: number;
  /** As the leader sees them; never the answering node itself. Empty while there is no leader. */
  readonly peers: readonly PeerStatus[];
}

export interface KvStore {
  get(key: Uint8Array, options?: ReadOptions): Promise<KeyValue | undefined>;
  range(range: KeyRange, options?: RangeOptions): Promise<RangePage>;
  /** How many keys there are. Reads them all, without values. */
  count(range: KeyRange, options?: ReadOptions): Promise<number>;
  txn(txn: Txn): Promise<TxnResult>;
  /**
   * Every change of the range from revision `from` on, in order of revisions, with none left out, for as long as the
   * caller iterates; breaking off frees everything. Where that cannot be had, it fails with `out_of_range`: the history
   * has been compacted. Read the range anew then, and watch from the revision after that answer's.
   */
  watch(range: KeyRange, options: WatchOptions): AsyncIterable<WatchBatch>;
  /**
   * Forgets what was overwritten or deleted up to this revision. Later reads at it still work, those before it do not;
   * watches from it or before fail. Compacting what is compacted already does nothing; `out_of_range` for revisions still
   * to come. Space is freed in the background.
   */
  compact(revision: number): Promise<void>;
  status(): Promise<KvStatus>;
  /** Waits for transactions under way and ends watches with `unavailable`, like every later call. */
  close(): Promise<void>;
}
