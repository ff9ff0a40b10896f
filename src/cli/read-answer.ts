// What crosses between a sync and the threads that read its files.

export interface ReadTask {
  /** With a NUL between two: one string crosses faster than many. */
  readonly paths: string;
  /** Memory for the answer's frame that was an answer's before. */
  readonly spare: ArrayBuffer | undefined;
}

/** One value for each file, in order: an object for each would take longer to cross than the file to hash. */
export interface ReadAnswer {
  /** How many of the task's files were read, the first one at least. */
  readonly count: number;
  /** Why files could not be read, by index. */
  readonly failures: ReadonlyMap<number, string>;
  readonly hashes: Uint8Array<ArrayBuffer>;
  /** Sizes, times, inodes and devices, a column of `count` numbers each. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** Sums of `fileMarks`. */
  readonly marks: Uint8Array<ArrayBuffer>;
  /** The frame of a pack: the files that are packed, in order. */
  readonly frame: Uint8Array;
}

export const fileMarks = { executable: 1, readonly: 2, packed: 4 } as const;
