// Bytes that grow over many requests before they become blobs, and survive restarts meanwhile. Each run of them has a name.
// They carry no checksums: who reads them back after a restart must know what they should be.

import type { ByteRange } from './range.js';

export interface Staging {
  /** Bytes so far. */
  readonly size: number;
  /** They are durable after `sync`. One call at a time. */
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when all bytes, and the name, are durable. */
  sync(): Promise<void>;
  /** A range inside `size`. */
  read(range: ByteRange): Promise<Uint8Array>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface StagingArea {
  /**
   * The first `size` bytes under a name; whatever came behind them is cut off. With 0 they need not exist. Undefined when
   * there are fewer. Nobody else may have the name open.
   */
  open(name: string, size: number): Promise<Staging | undefined>;
  /** In no order. */
  names(): Promise<string[]>;
  /** Absent is no error. */
  remove(name: string): Promise<void>;
}
