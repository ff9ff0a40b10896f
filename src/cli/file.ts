// cairn file: files by name and version.

import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { FileClient } from '../client/files/file-client.js';
import type { FileEntry } from '../client/files/file-shapes.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { type ConnectionFlags, connection } from './connection.js';
import { writeWhole } from './download-file.js';
import { formatPath, parseCount } from './format.js';

interface FileFlags {
  readonly name?: string;
  readonly failIfExists?: boolean;
  readonly output?: string;
  readonly fileVersion?: string;
}

export function addFileCommand(program: Command): void {
  const file = program.command('file').description('files by name: put, get, ls, info, versions, restore, rm');
  const add = (name: string, description: string) => addSharedOptions(file.command(name)).description(description);

  add('put', 'store files, or new versions of them; goes on with what was broken off; prints "id<tab>name"')
    .argument('<path...>')
    .option('--name <name>', 'store the one file under this name; its own without')
    .option('--fail-if-exists', 'refuse names that are taken')
    .action((paths: string[], flags: FileFlags, command: Command) =>
      run(command, (client, context) => put(client, context, paths, flags)),
    );
  add('get', 'write the bytes of a file; a broken connection is taken up again')
    .argument('<file>', 'its id, or its name')
    .option('-o, --output <path>', 'to this file instead of standard output')
    .option('--file-version <number>', 'of this version')
    .action((id: string, { output, fileVersion }: FileFlags, command: Command) =>
      run(command, async (client, context) => {
        const version = fileVersion === undefined ? undefined : parseCount(fileVersion, 'version');
        await get(client, context, await client.info(await idOf(client, id), { version }), output);
      }),
    );
  add('ls', 'print "id<tab>size<tab>name" for every file, in order')
    .argument('[prefix]', 'only names that begin so')
    .action((prefix: string | undefined, _: object, command: Command) =>
      run(command, async (client, context) => {
        for (let page = 1; ; page++) {
          const { files, total, page_size } = await client.list({ prefix, page, pageSize: limits.filesPageCountMax });
          for (const entry of files) {
            show(context, entry, `${entry.file_id}\t${entry.file_size}\t${formatPath(entry.file_name)}`);
          }
          if (page * page_size >= total || files.length === 0) return;
        }
      }),
    );
  add('info', 'print what is known of a file')
    .argument('<file>')
    .action((id: string, _: object, command: Command) =>
      run(command, async (client, context) => {
        const info = await client.info(await idOf(client, id));
        const lines = Object.entries(info).map(([name, value]) => `${name}\t${formatPath(String(value))}`);
        show(context, info, lines.join('\n'));
      }),
    );
  add('versions', 'print "version<tab>size<tab>time" for every version, the newest first')
    .argument('<file>')
    .action((id: string, _: object, command: Command) =>
      run(command, async (client, context) => {
        const fileId = await idOf(client, id);
        for (let page = 1; ; page++) {
          const found = await client.versions(fileId, { page, pageSize: limits.filesPageCountMax });
          for (const each of found.versions) {
            show(context, each, `${each.version}\t${each.file_size}\t${each.modified_at}`);
          }
          if (page * found.page_size >= found.total) return;
        }
      }),
    );
  add('restore', 'make an earlier version the newest; prints its number')
    .argument('<file>')
    .argument('<version>')
    .action((id: string, version: string, _: object, command: Command) =>
      run(command, async (client, context) => {
        const info = await client.restore(await idOf(client, id), parseCount(version, 'version'));
        show(context, info, `${info.version}`);
      }),
    );
  add('rm', 'delete files with all their versions')
    .argument('<file...>')
    .action((ids: string[], _: object, command: Command) =>
      run(command, async (client) => {
        for (const id of ids) await client.delete(await idOf(client, id));
      }),
    );
}

function run(command: Command, work: (client: FileClient, context: CommandContext) => Promise<void>): Promise<never> {
  return runCommand(command, async (context) => {
    const { url, options } = await connection(command.optsWithGlobals<ConnectionFlags>());
    const { FileClient } = await import('../client/files/file-client.js');
    const client = new FileClient({ addresses: [url], ...options });
    try {
      await work(client, context);
    } finally {
      client.close();
    }
  });
}

/** A file appears under its name only when it is complete. */
async function get(
  client: FileClient,
  { output, signal, startProgress }: CommandContext,
  info: FileEntry,
  path: string | undefined,
): Promise<void> {
  const progress = startProgress(formatPath(info.file_name));
  progress.expect(info.file_size);
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const piece of client.downloadAll(info, { signal })) {
      yield piece;
      progress.advance(piece.length);
    }
  }
  try {
    if (path === undefined) for await (const piece of watched()) await output.bytes(piece);
    else await writeWhole(path, (file) => pipeline(watched, file.createWriteStream()));
  } finally {
    progress.stop();
  }
}

async function put(client: FileClient, context: CommandContext, paths: string[], flags: FileFlags): Promise<void> {
  if (flags.name !== undefined && paths.length > 1) {
    throw new CairnError('invalid_argument', '--name is for one file');
  }
  const ifExists = flags.failIfExists === true ? 'fail' : 'version';
  for (const path of paths) {
    const name = flags.name ?? basename(path);
    const { size, mtimeMs } = await ordinaryFile(path);
    const session =
      (await unfinished(client, name, size, mtimeMs)) ??
      (await client.createUploadSession(name, size, { ifExists, signal: context.signal }));
    const progress = context.startProgress(name);
    progress.expect(size);
    progress.advance(session.uploadedSize);
    let before = session.uploadedSize;
    try {
      const stored = await client.resume(session, createReadStream(path, { start: session.uploadedSize }), {
        signal: context.signal,
        onProgress(bytes) {
          progress.advance(bytes - before);
          before = bytes;
        },
      });
      show(context, stored, `${stored.file_id}\t${formatPath(stored.file_name)}`);
    } finally {
      progress.stop();
    }
  }
}

async function ordinaryFile(path: string): Promise<Stats> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is no ordinary file');
    return found;
  } catch (cause) {
    throw new CairnError('invalid_argument', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** An upload of this name and size that was broken off. If the file has changed since, what was sent is none of it. */
async function unfinished(client: FileClient, name: string, size: number, mtimeMs: number) {
  const sessions = await client.listUploadSessions({ pageSize: limits.filesPageCountMax });
  return sessions.find(
    (session) =>
      session.fileName === name &&
      session.fileSize === size &&
      session.uploadedSize > 0 &&
      session.createdAt > mtimeMs + limits.fileTimeGranularityMilliseconds,
  );
}

async function idOf(client: FileClient, file: string): Promise<string> {
  if (/^f_[0-9a-f]{12,}$/.test(file)) return file;
  const found = await client.find(file);
  if (found === undefined) throw new CairnError('not_found', `there is no file ${JSON.stringify(file)}`);
  return found.file_id;
}

function show({ output, json }: CommandContext, value: object | FileEntry, text: string): void {
  output.line(json ? JSON.stringify(value) : text);
}
