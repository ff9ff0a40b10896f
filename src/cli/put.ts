// cairn put: files to the server. Hashing, asking what is missing and sending overlap; lines come in argument order.

import type { Command } from 'commander';
import type { BlobSource } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { PutOutcome, PutSummary } from '../client/put-many.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { fileChunks, unreadable } from './file-chunks.js';
import { digestJson, formatBytes, formatDigest } from './format.js';
import { FileHasher, type NamedFile } from './hash-files.js';
import { entries, openInput } from './name-list.js';
import { OrderedLines } from './ordered-lines.js';
import { readSmallFile } from './small-file.js';
import { spoolStdin, type TemporaryFile } from './stdin-file.js';

interface PutFlags {
  readonly filesFrom?: string;
  readonly null?: boolean;
}

/** One argument: its place decides where its line is printed. */
interface Argument extends NamedFile {
  readonly index: number;
}

interface FileItem {
  readonly file: Argument;
  readonly digest: Digest;
  open(): BlobSource;
}

export function addPutCommand(program: Command): void {
  addSharedOptions(program.command('put'))
    .description('store files; prints "blake3:<hex> <size> <name>" for each')
    .argument('[file...]', 'files, or - for standard input')
    .option('--files-from <list>', 'read file names from this file (- for standard input), one a line')
    .option('-0, --null', 'names in the list end in NUL bytes instead of newlines')
    .action((files: string[], flags: PutFlags, command: Command) =>
      runCommand(command, (context) => put(context, files, flags)),
    );
}

async function put(context: CommandContext, names: readonly string[], flags: PutFlags): Promise<void> {
  if (names.length === 0 && flags.filesFrom === undefined) {
    throw new CairnError('invalid_argument', 'nothing to put: give files, - or --files-from');
  }
  if (names.filter((name) => name === '-').length + (flags.filesFrom === '-' ? 1 : 0) > 1) {
    throw new CairnError('invalid_argument', 'standard input can be read only once');
  }
  await new PutCommand(context).run(names, flags);
}

class PutCommand {
  readonly #startedAt: number;
  readonly #hasher = new FileHasher();
  readonly #progress;
  readonly #lines: OrderedLines;
  /** Files that were not what they had been when they were hashed; they get one more chance. */
  #changed: Argument[] = [];
  #spooled: TemporaryFile | undefined;
  #lastTry = false;

  constructor(private readonly context: CommandContext) {
    this.#startedAt = context.clock.monotonic();
    this.#progress = context.startProgress('put');
    this.#lines = new OrderedLines((line) => context.output.line(line));
  }

  async run(names: readonly string[], flags: PutFlags): Promise<void> {
    try {
      const first = await this.#putAll(this.#arguments(names, flags));
      const changed = this.#changed;
      this.#lastTry = true;
      const second = changed.length > 0 ? await this.#putAll(changed) : undefined;
      this.#progress.stop();
      this.#summarize(second === undefined ? first : sum(first, second));
    } finally {
      this.#progress.stop();
      await this.#spooled?.remove();
      await this.#hasher.close();
    }
  }

  #putAll(files: Iterable<Argument> | AsyncIterable<Argument>): Promise<PutSummary> {
    return this.context.client.putMany(this.#items(files), {
      signal: this.context.signal,
      onOutcome: (item, outcome) => this.#settle(item, outcome),
      onSent: (bytes) => this.#progress.advance(bytes),
    });
  }

  async *#arguments(names: readonly string[], { filesFrom, null: nul }: PutFlags): AsyncGenerator<Argument> {
    let index = 0;
    for (const name of names) {
      if (name === '-') this.#spooled = await spoolStdin(this.context.signal);
      yield { index: index++, name, path: name === '-' ? this.#spooled!.path : name };
    }
    if (filesFrom === undefined) return;
    for await (const name of entries(openInput(filesFrom), nul ? '\0' : '\n'))
      yield { index: index++, name, path: name };
  }

  async *#items(files: Iterable<Argument> | AsyncIterable<Argument>): AsyncGenerator<FileItem> {
    const { signal, output } = this.context;
    const onFound = this.#lastTry ? undefined : (bytes: number) => this.#progress.expect(bytes);
    for await (const { file, digest, error } of this.#hasher.hash(files, { signal, onFound })) {
      if (error === undefined) yield { file, digest, open: () => openFile(file, digest) };
      else this.#fail(file, error);
      await output.room();
    }
  }

  #settle({ file, digest }: FileItem, outcome: PutOutcome): void {
    if (outcome.status === 'failed') {
      if (outcome.error.code === 'digest_mismatch' && !this.#lastTry) this.#changed.push(file);
      else this.#fail(file, outcome.error);
      return;
    }
    if (outcome.status === 'present') this.#progress.advance(digest.size);
    const { name } = file;
    const { status } = outcome;
    this.#lines.settle(
      file.index,
      this.context.json ? JSON.stringify({ ...digestJson(digest), name, status }) : `${formatDigest(digest)} ${name}`,
    );
  }

  #fail(file: Argument, error: CairnError): void {
    const changed = error.code === 'digest_mismatch';
    this.context.fail(changed ? new CairnError(error.code, `${file.name} keeps changing while it is read`) : error, {
      name: file.name,
    });
    this.#lines.settle(file.index, undefined);
  }

  #summarize({ uploadedCount, uploadedBytes, presentCount }: PutSummary): void {
    const seconds = (this.context.clock.monotonic() - this.#startedAt) / 1000;
    const count = uploadedCount + presentCount;
    this.context.note(
      `put ${count} ${count === 1 ? 'file' : 'files'}: ${uploadedCount} uploaded (${formatBytes(uploadedBytes)}), ` +
        `${presentCount} already there, in ${seconds.toFixed(1)} s`,
      { uploaded: uploadedCount, uploadedBytes, present: presentCount, seconds },
    );
  }
}

function openFile(file: Argument, digest: Digest): BlobSource {
  if (digest.size > limits.batchedBlobBytesMax) return fileChunks(file.path);
  try {
    return readSmallFile(file.path, limits.batchedBlobBytesMax);
  } catch (error) {
    throw unreadable(file.name, error);
  }
}

function sum(a: PutSummary, b: PutSummary): PutSummary {
  return {
    uploadedCount: a.uploadedCount + b.uploadedCount,
    uploadedBytes: a.uploadedBytes + b.uploadedBytes,
    presentCount: a.presentCount + b.presentCount,
    presentBytes: a.presentBytes + b.presentBytes,
    failedCount: b.failedCount,
  };
}
