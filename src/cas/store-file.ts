// The file `CAIRN` in a data directory: whose directory it is, what may read it, and, through the file `LOCK` beside it,
// that only one process uses it. `CAIRN` is text of lines `key value`, the last one a CRC-32 of all before it; it is
// written once. A lock file of its own, because a rename takes the locked file away from under its lock.
//
// Three sets of feature bits say what a version that does not know a bit may do with the directory: all it likes
// (compatible), read it (read-only), nothing (incompatible). No bit is taken yet.

import { join } from 'node:path';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';
import { type Random, uniqueName } from '../base/random.js';
import type { FileLock, FileSystem } from '../log/file-system.js';
import { replaceFile } from '../log/replace-file.js';

export interface StoreFileParts {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly random: Random;
}

export interface StoreFile {
  /** 32 hex digits, chosen when the directory was first used. */
  readonly id: string;
  /** Lets others use the directory. May be called again. */
  release(): Promise<void>;
}

const firstLine = 'CAIRN blob store';
const formatVersion = 1;
const noBits = '00000000';

/**
 * Takes the directory for this process, and makes it a store on first use. `failed_precondition` when another process has
 * it or a newer version wrote it, `corrupt` when the file cannot be understood.
 */
export async function openStoreFile(parts: StoreFileParts): Promise<StoreFile> {
  const { fs, directory } = parts;
  await fs.makeDirectory(directory);
  const lockPath = join(directory, 'LOCK');
  const lock = await fs.lock(lockPath);
  if (lock === undefined) {
    const holder = await readHolder(fs, lockPath);
    throw new CairnError('failed_precondition', `the data directory ${directory} is in use by ${holder}`);
  }
  try {
    await writeHolder(fs, lockPath, `${process.pid}\n`);
    const id = await readOrCreate(parts);
    let released: Promise<void> | undefined;
    return {
      id,
      release() {
        released ??= releaseLock(fs, lockPath, lock);
        return released;
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function releaseLock(fs: FileSystem, lockPath: string, lock: FileLock): Promise<void> {
  try {
    await writeHolder(fs, lockPath, '');
  } finally {
    await lock.release();
  }
}

/** For people only: between a crash and the next holder's first step it names the one that crashed. */
async function writeHolder(fs: FileSystem, lockPath: string, text: string): Promise<void> {
  try {
    const file = await fs.open(lockPath, 'write');
    if (file === undefined) return;
    try {
      await file.truncate(0);
      await file.write([new TextEncoder().encode(text)], 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    // A full disk must not keep the store from opening.
    if (!(error instanceof CairnError)) throw error;
  }
}

async function readHolder(fs: FileSystem, lockPath: string): Promise<string> {
  const pid = /^(\d{1,10})\n$/.exec((await readText(fs, lockPath)) ?? '')?.[1];
  return pid === undefined ? 'another process' : `another process (${pid}, says its LOCK file)`;
}

async function readOrCreate({ fs, directory, random }: StoreFileParts): Promise<string> {
  const path = join(directory, 'CAIRN');
  const text = await readText(fs, path);
  if (text !== undefined) return parseStoreText(text, path);
  const id = uniqueName(random);
  await replaceFile(fs, path, new TextEncoder().encode(formatStoreText(id)));
  return id;
}

async function readText(fs: FileSystem, path: string): Promise<string | undefined> {
  const file = await fs.open(path, 'read');
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(limits.storeFileBytesMax + 1);
    const length = await file.read(bytes, 0);
    return Buffer.from(bytes.buffer, 0, length).toString('latin1');
  } finally {
    await file.close();
  }
}

function formatStoreText(id: string): string {
  const lines = [
    firstLine,
    `store ${id}`,
    `format ${formatVersion}`,
    `compatible ${noBits}`,
    `read-only ${noBits}`,
    `incompatible ${noBits}`,
  ];
  const text = `${lines.join('\n')}\n`;
  return `${text}crc ${checksumOf(text)}\n`;
}

/** The store's id. Lines that newer versions may have added are passed over: the bits say whether that is right. */
function parseStoreText(text: string, path: string): string {
  const damaged = () => new CairnError('corrupt', `${path} is damaged: it should begin with "${firstLine}"`);
  const newer = () => new CairnError('failed_precondition', `${path} was written by a newer Cairn`);
  const checked = /^([\s\S]*\n)crc ([0-9a-f]{8})\n$/.exec(text);
  if (checked === null || text.length > limits.storeFileBytesMax) throw damaged();
  const [, body, checksum] = checked;
  if (checksumOf(body!) !== checksum || !body!.startsWith(`${firstLine}\n`)) throw damaged();
  const field = (key: string, shape: string): string => {
    const value = new RegExp(`\\n${key} (${shape})\\n`).exec(body!)?.[1];
    if (value === undefined) throw damaged();
    return value;
  };
  if (Number(field('format', '\\d{1,9}')) > formatVersion) throw newer();
  if (field('incompatible', '[0-9a-f]{8}') !== noBits) throw newer();
  // A store always writes, so what it may only read is no use to it.
  if (field('read-only', '[0-9a-f]{8}') !== noBits) throw newer();
  return field('store', '[0-9a-f]{32}');
}

function checksumOf(text: string): string {
  return crc32(Buffer.from(text, 'latin1')).toString(16).padStart(8, '0');
}
