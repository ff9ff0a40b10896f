// The snapshots a node has made, for others to fetch: the newest, and older ones for as long as somebody is at them.

import { join } from 'node:path';
import { CairnError } from '../../base/errors.js';
import type { FileSystem, OpenFile } from '../../log/file-system.js';
import type { SnapshotFile } from './snapshot-file.js';

export interface OpenSnapshot {
  readonly snapshot: SnapshotFile;
  readonly file: OpenFile;
}

export class SnapshotShelf {
  readonly directory: string;
  readonly #fs: FileSystem;
  #newest: { readonly index: number; readonly snapshot: SnapshotFile } | undefined;

  private constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.directory = directory;
  }

  /** Whatever an earlier process left is thrown away: nobody has been offered it by this one. */
  static async open(fs: FileSystem, directory: string): Promise<SnapshotShelf> {
    await fs.makeDirectory(directory);
    for (const name of await fs.list(directory)) await fs.remove(join(directory, name));
    return new SnapshotShelf(fs, directory);
  }

  /** In place of the one before. Who has that open reads on: its file lives until it is closed. */
  put(index: number, snapshot: SnapshotFile): void {
    const before = this.#newest;
    this.#newest = { index, snapshot };
    if (before !== undefined && before.snapshot.path !== snapshot.path)
      void this.#fs.remove(before.snapshot.path).catch(() => {});
  }

  /** `not_found` when it is not the newest any more: it will be offered anew. The caller closes the file. */
  async openSnapshot(index: number): Promise<OpenSnapshot> {
    const newest = this.#newest;
    const file = newest?.index === index ? await this.#fs.open(newest.snapshot.path, 'read') : undefined;
    if (newest === undefined || file === undefined) {
      throw new CairnError('not_found', `there is no snapshot of ${index}`);
    }
    return { snapshot: newest.snapshot, file };
  }
}
