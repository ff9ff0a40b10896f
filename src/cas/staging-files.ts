// Staged bytes as files of one directory.

import { join } from 'node:path';
import { assert, CairnError } from '../base/errors.js';
import type { ByteRange } from '../base/range.js';
import type { Staging, StagingArea } from '../base/staging.js';
import type { FileSystem, OpenFile } from '../log/file-system.js';

export class StagingFiles implements StagingArea {
  readonly #fs: FileSystem;
  readonly #directory: string;

  private constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /** The directory is made when it is missing, and must belong to this process. */
  static async open(fs: FileSystem, directory: string): Promise<StagingFiles> {
    await fs.makeDirectory(directory);
    return new StagingFiles(fs, directory);
  }

  async open(name: string, size: number): Promise<Staging | undefined> {
    const path = this.#path(name);
    const found = await this.#fs.open(path, 'write');
    if (found === undefined) return size === 0 ? this.#staged(await this.#fs.create(path), 0) : undefined;
    try {
      const length = await found.size();
      if (length > size) await found.truncate(size);
      if (length >= size) return this.#staged(found, size);
    } catch (error) {
      await found.close();
      throw error;
    }
    await found.close();
    return undefined;
  }

  #staged(file: OpenFile, size: number): Staging {
    return new StagedFile(file, size, () => this.#fs.syncDirectory(this.#directory));
  }

  names(): Promise<string[]> {
    return this.#fs.list(this.#directory);
  }

  remove(name: string): Promise<void> {
    return this.#fs.remove(this.#path(name));
  }

  #path(name: string): string {
    assert(/^[\w-]+(\.[\w-]+)*$/.test(name), 'a name is a plain one');
    return join(this.#directory, name);
  }
}

class StagedFile implements Staging {
  readonly #file: OpenFile;
  readonly #syncName: () => Promise<void>;
  #size: number;

  constructor(file: OpenFile, size: number, syncName: () => Promise<void>) {
    this.#file = file;
    this.#size = size;
    this.#syncName = syncName;
  }

  get size(): number {
    return this.#size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await this.#file.write([bytes], this.#size);
    this.#size += bytes.length;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
    await this.#syncName();
  }

  async read({ start, end }: ByteRange): Promise<Uint8Array> {
    assert(start >= 0 && start <= end && end <= this.#size, 'the range lies inside');
    const bytes = new Uint8Array(end - start);
    const count = await this.#file.read(bytes, start);
    if (count < bytes.length) throw new CairnError('corrupt', `${this.#file.path} ends before byte ${end}`);
    return bytes;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
