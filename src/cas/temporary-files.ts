// Files of uploads under way, under names nobody else has. Several threads may make some in one directory.

import { join } from 'node:path';
import { type Random, uniqueName } from '../base/random.js';
import type { FileSystem, OpenFile } from '../log/file-system.js';

export class TemporaryFiles {
  readonly #fs: FileSystem;
  readonly #random: Random;
  readonly #directory: string;

  constructor(fs: FileSystem, random: Random, storeDirectory: string) {
    this.#fs = fs;
    this.#random = random;
    this.#directory = join(storeDirectory, 'temp');
  }

  /** Begins with none: what unfinished writes of an earlier run left is removed. */
  async empty(): Promise<void> {
    await this.#fs.removeDirectory(this.#directory);
    await this.#fs.makeDirectory(this.#directory);
  }

  create(): Promise<OpenFile> {
    return this.#fs.create(join(this.#directory, uniqueName(this.#random)));
  }

  async remove(file: OpenFile): Promise<void> {
    try {
      await file.close();
    } finally {
      await this.#fs.remove(file.path);
    }
  }
}
