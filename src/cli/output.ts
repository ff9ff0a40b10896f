// Standard output of a command: lines are gathered, and a slow reader makes the command wait instead of the memory grow.

import { limits } from '../base/limits.js';

export class Output {
  #gathered = '';
  /** Called before anything is written; a progress bar on the same terminal steps aside. */
  beforeWrite: () => void = () => {};

  constructor(private readonly stream: NodeJS.WriteStream) {}

  /** Adds a line. Follow it up with `room` wherever waiting is possible. */
  line(text: string): void {
    this.#gathered += `${text}\n`;
    if (this.stream.isTTY || this.#gathered.length >= limits.outputBytesMax) this.#write();
  }

  /** Resolves when the reader has kept up. */
  async room(): Promise<void> {
    if (this.stream.writableNeedDrain) await this.#drained();
  }

  /** Writes bytes as they are. Resolves when the reader has kept up. */
  async bytes(bytes: Uint8Array): Promise<void> {
    this.#write();
    // Written means copied only when the callback comes: the caller may reuse the bytes.
    await new Promise<void>((resolve) => this.stream.write(bytes, () => resolve()));
  }

  /** Resolves when everything has been handed to the reader. */
  async flush(): Promise<void> {
    this.#write();
    if (this.stream.destroyed) return;
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
  }

  #write(): void {
    if (this.#gathered === '') return;
    this.beforeWrite();
    this.stream.write(this.#gathered);
    this.#gathered = '';
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.stream.off('drain', done);
        this.stream.off('close', done);
        resolve();
      };
      this.stream.once('drain', done);
      this.stream.once('close', done);
    });
  }
}
