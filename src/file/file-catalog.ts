// Names, ids and versions of files: what of a file is metadata. Every change is one transaction over all rows it touches,
// conditional on what was read; who comes second reads again. The blobs that a version names are durable before it is here.

import type { Clock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import { absent, nextKey, prefixRange, unchanged } from '../meta/keys.js';
import type { Compare, KeyValue, KvStore, Operation } from '../meta/kv.js';
import { untilCommitted } from './commit-retry.js';
import type { FileCounts, FileInfo, PageOf, PageRequest } from './file-info.js';
import {
  decodeCounts,
  decodeFileRow,
  decodeVersionRow,
  encodeCounts,
  encodeFileRow,
  encodeVersionRow,
  type FileRow,
  fileInfo,
  fileKeys,
  noFiles,
  type VersionRow,
} from './file-rows.js';
import { ListMarks } from './list-marks.js';
import { readPage, resolvePage } from './page.js';
import { Turns } from './turns.js';

export interface FileCatalogParts {
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly random: Random;
}

export interface NewVersion {
  readonly name: string;
  readonly manifest: Manifest;
  readonly contentType: string | undefined;
  /** What a file of that name means: another version of it, or `already_exists`. */
  readonly ifExists: 'version' | 'fail';
  readonly beside?: Beside | undefined;
}

/** What else belongs to the transaction that adds a version. */
export interface Beside {
  readonly compares: readonly Compare[];
  readonly operations: (added: FileInfo) => readonly Operation[];
  /** Called when the transaction failed: throws when it was for these compares. */
  readonly check: () => Promise<void>;
}

interface Read {
  readonly item: KeyValue;
  readonly row: FileRow;
}

export class FileCatalog {
  readonly #parts: FileCatalogParts;
  /** Within this process nobody waits in vain; only other processes can be faster. */
  readonly #turns = new Turns();
  readonly #marks = new ListMarks();

  constructor(parts: FileCatalogParts) {
    this.#parts = parts;
  }

  /** Makes a file, or a new version of the file that has the name. */
  add(added: NewVersion): Promise<FileInfo> {
    return this.#turns.take(added.name, () => this.#add(added));
  }

  #add(added: NewVersion): Promise<FileInfo> {
    return untilCommitted(this.#parts, async () => {
      const found = await this.#read(fileKeys.byName(added.name));
      if (found !== undefined && added.ifExists === 'fail') throw alreadyExists(added.name);
      const row = found === undefined ? this.#newFile(added) : this.#nextVersion(found.row, added);
      if (await this.#put(found, row, added.beside)) return fileInfo(row, row.latest);
      await added.beside?.check();
      return undefined;
    });
  }

  /** `already_exists` when a file has the name. */
  async refuseWhenNamed(name: string): Promise<void> {
    if ((await this.#read(fileKeys.byName(name))) !== undefined) throw alreadyExists(name);
  }

  /** The content of an earlier version becomes the newest one. `not_found` without that file or version. */
  async restore(fileId: string, version: number): Promise<FileInfo> {
    return untilCommitted(this.#parts, async () => {
      const found = await this.#readById(fileId);
      const { manifest, contentType } = await this.#version(found.row, version);
      const row = this.#nextVersion(found.row, { manifest, contentType });
      return (await this.#put(found, row)) ? fileInfo(row, row.latest) : undefined;
    });
  }

  /** `not_found` without that file or, when one is named, that version. */
  async find(fileId: string, version?: number): Promise<{ info: FileInfo; manifest: Manifest }> {
    const { row } = await this.#readById(fileId);
    const found = version === undefined ? row.latest : await this.#version(row, version);
    return { info: fileInfo(row, found), manifest: found.manifest };
  }

  async findByName(name: string): Promise<FileInfo | undefined> {
    const found = await this.#read(fileKeys.byName(name));
    return found && fileInfo(found.row, found.row.latest);
  }

  /**
   * Sorted by the bytes of the names. A page costs what lies before it, and the total what has the prefix, the first time;
   * as long as no file changes, the next page costs a page.
   */
  async list(prefix: string, request: PageRequest): Promise<PageOf<FileInfo>> {
    const { page, pageSize, skip } = resolvePage(request);
    const { kv } = this.#parts;
    const range = prefixRange(fileKeys.byName(prefix));
    const { revision, counts } = await this.#allCounts();
    this.#marks.turnTo(revision);
    const total = prefix === '' ? counts.files : (this.#marks.total(prefix) ?? (await kv.count(range)));
    const found = await readPage(kv, range, { page, pageSize, skip }, this.#marks.nearest(prefix, skip));
    this.#marks.remember(revision, prefix, total, skip + found.length, found.at(-1)?.key);
    const items = found.map(({ value }) => decodeFileRow(value)).map((row) => fileInfo(row, row.latest));
    return { items, total, page, pageSize };
  }

  /** The newest first. `not_found` without that file. */
  async versions(fileId: string, request: PageRequest): Promise<PageOf<FileInfo>> {
    const { page, pageSize, skip } = resolvePage(request);
    const { row } = await this.#readById(fileId);
    const total = row.latest.version;
    const newest = total - skip;
    if (newest < 1) return { items: [], total, page, pageSize };
    const oldest = Math.max(1, newest - pageSize + 1);
    const range = { start: fileKeys.version(fileId, oldest), end: fileKeys.version(fileId, newest + 1) };
    const { items } = await this.#parts.kv.range(range, { limit: pageSize });
    const versions = items.map(({ value }) => fileInfo(row, decodeVersionRow(value)));
    return { items: versions.reverse(), total, page, pageSize };
  }

  /** The file and all its versions. `not_found` without that file. */
  async delete(fileId: string): Promise<void> {
    const versions = prefixRange(fileKeys.versions(fileId));
    const isGone = await untilCommitted(this.#parts, async () => {
      const { item, row } = await this.#readById(fileId);
      const counts = await this.#counts(fileId);
      const isOneDelete = row.latest.version <= limits.kvDeletedCountMax;
      const less = { files: -1, versions: -row.latest.version, chunks: -row.chunks, bytes: -row.bytes };
      const { succeeded } = await this.#parts.kv.txn({
        compares: [unchanged(item.key, item), unchanged(counts.key, counts.item)],
        success: [
          { kind: 'delete', range: { start: fileKeys.byId(fileId) } },
          { kind: 'delete', range: { start: fileKeys.byName(row.name) } },
          { kind: 'put', key: counts.key, value: encodeCounts(sumCounts(counts.counts, less)) },
          ...(isOneDelete ? [{ kind: 'delete', range: versions } as const] : []),
        ],
      });
      return succeeded ? isOneDelete : undefined;
    });
    if (isGone) return;
    // Behind the file, where there are more of them than one transaction takes: nobody finds them any more.
    for (let more = true; more; ) {
      const page = await this.#parts.kv.range(versions, { keysOnly: true });
      const [first, last] = [page.items[0], page.items.at(-1)];
      if (first === undefined || last === undefined) return;
      await this.#parts.kv.txn({ success: [{ kind: 'delete', range: { start: first.key, end: nextKey(last.key) } }] });
      more = page.more;
    }
  }

  async counts(): Promise<FileCounts> {
    return (await this.#allCounts()).counts;
  }

  /** With the revision of the last change of any file. */
  async #allCounts(): Promise<{ readonly revision: number; readonly counts: FileCounts }> {
    const { items } = await this.#parts.kv.range(prefixRange(fileKeys.counts()));
    const revision = items.reduce((latest, item) => Math.max(latest, item.revision), 0);
    return { revision, counts: items.map(({ value }) => decodeCounts(value)).reduce(sumCounts, noFiles) };
  }

  #newFile({ name, manifest, contentType }: NewVersion): FileRow {
    const { clock, random } = this.#parts;
    const fileId = `f_${Buffer.from(random.bytes(8)).toString('hex')}`;
    const now = clock.now();
    const latest: VersionRow = { version: 1, manifest, contentType, storedAt: now };
    return { fileId, name, createdAt: now, latest, chunks: manifest.chunkCount, bytes: manifest.bytes };
  }

  #nextVersion(row: FileRow, { manifest, contentType }: Pick<NewVersion, 'manifest' | 'contentType'>): FileRow {
    const storedAt = Math.max(this.#parts.clock.now(), row.latest.storedAt);
    const latest: VersionRow = { version: row.latest.version + 1, manifest, contentType, storedAt };
    return { ...row, latest, chunks: row.chunks + manifest.chunkCount, bytes: row.bytes + manifest.bytes };
  }

  /** Whether it was written: not, when the file or its counts changed since they were read. */
  async #put(before: Read | undefined, row: FileRow, beside?: Beside): Promise<boolean> {
    const { fileId, name, latest } = row;
    const counts = await this.#counts(fileId);
    const value = encodeFileRow(row);
    const byName = fileKeys.byName(name);
    const isSame =
      before === undefined
        ? [absent(byName), absent(fileKeys.byId(fileId))]
        : [unchanged(before.item.key, before.item)];
    const more: FileCounts = {
      files: before === undefined ? 1 : 0,
      versions: 1,
      chunks: latest.manifest.chunkCount,
      bytes: latest.manifest.bytes,
    };
    const { succeeded } = await this.#parts.kv.txn({
      compares: [...isSame, unchanged(counts.key, counts.item), ...(beside?.compares ?? [])],
      success: [
        { kind: 'put', key: fileKeys.byId(fileId), value },
        { kind: 'put', key: byName, value },
        { kind: 'put', key: fileKeys.version(fileId, latest.version), value: encodeVersionRow(latest) },
        { kind: 'put', key: counts.key, value: encodeCounts(sumCounts(counts.counts, more)) },
        ...(beside?.operations(fileInfo(row, latest)) ?? []),
      ],
    });
    return succeeded;
  }

  async #read(key: Uint8Array): Promise<Read | undefined> {
    const item = await this.#parts.kv.get(key);
    return item && { item, row: decodeFileRow(item.value) };
  }

  async #readById(fileId: string): Promise<Read> {
    const found = isFileId(fileId) ? await this.#read(fileKeys.byId(fileId)) : undefined;
    if (found === undefined) throw notFound(`there is no file ${JSON.stringify(fileId)}`, fileId);
    return found;
  }

  async #version({ fileId, latest }: FileRow, version: number): Promise<VersionRow> {
    if (version === latest.version) return latest;
    const exists = Number.isInteger(version) && version >= 1 && version < latest.version;
    const item = exists ? await this.#parts.kv.get(fileKeys.version(fileId, version)) : undefined;
    if (item === undefined) throw notFound(`${fileId} has no version ${version}`, fileId);
    return decodeVersionRow(item.value);
  }

  async #counts(fileId: string): Promise<{ key: Uint8Array; item: KeyValue | undefined; counts: FileCounts }> {
    const key = fileKeys.countsOf(fileId);
    const item = await this.#parts.kv.get(key);
    return { key, item, counts: decodeCounts(item?.value) };
  }
}

function isFileId(text: string): boolean {
  return /^f_[0-9a-f]{12,64}$/.test(text);
}

function sumCounts(a: FileCounts, b: FileCounts): FileCounts {
  return {
    files: a.files + b.files,
    versions: a.versions + b.versions,
    chunks: a.chunks + b.chunks,
    bytes: a.bytes + b.bytes,
  };
}

function notFound(message: string, fileId: string): CairnError {
  return new CairnError('not_found', message, { subject: { kind: 'file', id: fileId } });
}

function alreadyExists(name: string): CairnError {
  return new CairnError('already_exists', 'a file of that name exists', { subject: { kind: 'file', id: name } });
}
