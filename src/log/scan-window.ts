// A window that moves over a file: what a scan has of it in memory. Reading forward costs one read for each window; a
// jump over a large payload skips the bytes in between.

import { limits } from '../base/limits.js';
import type { OpenFile } from './file-system.js';

export class ScanWindow {
  readonly #file: OpenFile;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** Where there is nothing more to read: the end that was asked for, or the end of the file once it was met. */
  #limit: number;

  constructor(file: OpenFile, start: number, end: number) {
    this.#file = file;
    this.#buffer = new Uint8Array(Math.max(0, Math.min(limits.scanWindowBytes, end - start)));
    this.#limit = end;
  }

  /** Whether the window has so many bytes from a position on, or all that there are. */
  covers(position: number, bytes: number): boolean {
    return position >= this.#start && Math.min(position + bytes, this.#limit) <= this.#end;
  }

  /** Moves the window so that it begins at a position. */
  async moveTo(position: number): Promise<void> {
    this.#start = position;
    this.#end = position;
    const wanted = Math.min(this.#buffer.length, this.#limit - position);
    if (wanted <= 0) return;
    const got = await this.#file.read(this.#buffer.subarray(0, wanted), position);
    this.#end = position + got;
    if (got < wanted) this.#limit = this.#end;
  }

  /** Up to so many bytes from a position that is covered. A view: it changes when the window moves. */
  bytes(position: number, length: number): Uint8Array {
    const at = position - this.#start;
    return this.#buffer.subarray(at, Math.min(at + length, this.#end - this.#start));
  }
}
