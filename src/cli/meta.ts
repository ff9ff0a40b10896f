// cairn meta: a look inside a server's metadata, for admins. What it writes goes past everything that gives keys their
// meaning.

import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { everyKey, prefixRange } from '../meta/keys.js';
import type { KeyRange, KvStatus, KvStore } from '../meta/kv.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';
import { parseCount } from './format.js';
import { eventJson, itemJson, parseBytes, parseTxn, resultJson, showBytes } from './meta-text.js';
import { exportLines, importFile } from './meta-transfer.js';
import { openInput } from './name-list.js';

interface ReadFlags {
  readonly revision?: string;
  readonly stale?: boolean;
}

interface RangeFlags extends ReadFlags {
  readonly limit?: string;
  readonly keysOnly?: boolean;
  readonly count?: boolean;
}

export function addMetaCommand(program: Command): void {
  const meta = program
    .command('meta')
    .description(
      'the metadata of a server, for admins: get, put, del, range, txn, watch, compact, status, export, import',
    );
  const add = (name: string, description: string) => addSharedOptions(meta.command(name)).description(description);
  const addRead = (name: string, description: string) =>
    add(name, description)
      .option('--revision <number>', 'as it was right after this revision')
      .option('--stale', 'what the server has at hand, which may be older than what others were answered');

  addRead('get', 'write the value of a key')
    .argument('<key>', 'text, or base64:… for other bytes')
    .action((key: string, flags: ReadFlags, command: Command) =>
      run(command, (kv, context) => get(kv, context, key, flags)),
    );
  add('put', 'set a key; prints the revision')
    .argument('<key>')
    .argument('[value]', 'text, or base64:…; without it, what standard input has')
    .action((key: string, value: string | undefined, _: object, command: Command) =>
      run(command, async (kv, { output }) => {
        const bytes = value === undefined ? await readAll(process.stdin) : parseBytes(value);
        const { revision } = await kv.txn({ success: [{ kind: 'put', key: parseBytes(key), value: bytes }] });
        output.line(`${revision}`);
      }),
    );
  add('del', 'delete a key; prints how many were there')
    .argument('<key>')
    .option('--prefix', 'all keys that begin so')
    .action((key: string, { prefix = false }: { prefix?: boolean }, command: Command) =>
      run(command, async (kv, { output }) => {
        const range = prefix ? prefixRange(parseBytes(key)) : { start: parseBytes(key) };
        const { results } = await kv.txn({ success: [{ kind: 'delete', range }] });
        output.line(`${results[0]?.kind === 'delete' ? results[0].deleted : 0}`);
      }),
    );
  addRead('range', 'print "key<tab>value" for every key, in order')
    .argument('[prefix]', 'only keys that begin so')
    .option('--limit <count>', 'at most so many')
    .option('--keys-only', 'keys alone')
    .option('--count', 'only how many there are')
    .action((prefix: string | undefined, flags: RangeFlags, command: Command) =>
      run(command, (kv, context) => range(kv, context, rangeOf(prefix), flags)),
    );
  add('txn', 'do a transaction, given as JSON; prints its result')
    .argument('[file]', 'where it is; - for standard input', '-')
    .action((file: string, _: object, command: Command) =>
      run(command, async (kv, { output }) => {
        const bytes = await readAll(openInput(file));
        const { results, ...result } = await kv.txn(parseTxn(new TextDecoder().decode(bytes)));
        output.line(JSON.stringify({ ...result, results: results.map(resultJson) }));
      }),
    );
  add('watch', 'print every change as it happens: "revision put key<tab>value" or "revision delete key"')
    .argument('[prefix]', 'only keys that begin so')
    .option('--from <revision>', 'from this revision on, which may be past (default: the next)')
    .action((prefix: string | undefined, { from }: { from?: string }, command: Command) =>
      run(command, (kv, context) => watch(kv, context, rangeOf(prefix), from)),
    );
  add('compact', 'forget what was overwritten or deleted up to a revision')
    .argument('<revision>')
    .action((revision: string, _: object, command: Command) =>
      run(command, (kv) => kv.compact(parseCount(revision, 'the revision'))),
    );
  add('status', 'print who leads, and how far the nodes are').action((_: object, command: Command) =>
    run(command, async (kv, { output, json }) => {
      const status = await kv.status();
      for (const line of json ? [JSON.stringify(statusJson(status))] : statusLines(status)) output.line(line);
    }),
  );
  add('export', 'write all keys and values, as JSON lines, to standard output').action((_: object, command: Command) =>
    run(command, async (kv, { output }) => {
      for await (const line of exportLines(kv)) {
        output.line(line);
        await output.room();
      }
    }),
  );
  add('import', 'make the metadata what an export says, and nothing else; while nobody else uses it')
    .argument('<file>')
    .action((file: string, _: object, command: Command) =>
      run(command, async (kv, { signal, output, json }) => {
        const { put, deleted } = await importFile(kv, file, signal);
        output.line(json ? JSON.stringify({ put, deleted }) : `${put} put, ${deleted} deleted`);
      }),
    );
}

function run(command: Command, work: (kv: KvStore, context: CommandContext) => Promise<void>): Promise<never> {
  return runCommand(command, async (context) => {
    const kv = await context.client.metadata();
    context.signal.addEventListener('abort', () => void kv.close());
    await work(kv, context);
  });
}

async function get(kv: KvStore, { output, json }: CommandContext, key: string, flags: ReadFlags): Promise<void> {
  const item = await kv.get(parseBytes(key), readOptions(flags));
  if (item === undefined) throw new CairnError('not_found', `there is no key ${key}`);
  if (json) {
    output.line(JSON.stringify(itemJson(item)));
    return;
  }
  await output.bytes(item.value);
  if (process.stdout.isTTY) output.line('');
}

async function range(
  kv: KvStore,
  { output, json }: CommandContext,
  keys: KeyRange,
  { limit, keysOnly = false, count = false, ...flags }: RangeFlags,
): Promise<void> {
  const options = readOptions(flags);
  if (count) {
    output.line(`${await kv.count(keys, options)}`);
    return;
  }
  let left = limit === undefined ? Number.POSITIVE_INFINITY : parseCount(limit, 'the limit');
  let { revision } = options;
  let after: Uint8Array | undefined;
  for (let more = left > 0; more; ) {
    const page = await kv.range(keys, {
      ...options,
      keysOnly,
      after,
      revision,
      limit: Math.min(left, limits.kvPageCountMax),
    });
    for (const item of page.items) {
      const line = keysOnly ? showBytes(item.key) : `${showBytes(item.key)}\t${showBytes(item.value)}`;
      output.line(json ? JSON.stringify(itemJson(item)) : line);
    }
    await output.room();
    left -= page.items.length;
    // Later pages are of the same moment.
    ({ revision } = page);
    after = page.items.at(-1)?.key;
    more = page.more && left > 0;
  }
}

async function watch(
  kv: KvStore,
  { output, signal, json }: CommandContext,
  keys: KeyRange,
  from: string | undefined,
): Promise<void> {
  const first = from === undefined ? (await kv.status()).revision + 1 : parseCount(from, 'the revision');
  for await (const { revision, events } of kv.watch(keys, { from: first, signal })) {
    for (const event of events) {
      const words =
        event.kind === 'put'
          ? `put ${showBytes(event.item.key)}\t${showBytes(event.item.value)}`
          : `delete ${showBytes(event.key)}`;
      if (!json) output.line(`${revision} ${words}`);
    }
    if (json) output.line(JSON.stringify({ revision, events: events.map(eventJson) }));
    await output.flush();
  }
}

function rangeOf(prefix: string | undefined): KeyRange {
  return prefix === undefined ? everyKey : prefixRange(parseBytes(prefix));
}

function readOptions({ revision, stale = false }: ReadFlags) {
  return { stale, revision: revision === undefined ? undefined : parseCount(revision, 'the revision') };
}

function statusJson(status: KvStatus) {
  return {
    engine: status.engine,
    node_id: status.nodeId,
    state: status.role,
    term: status.term,
    leader_id: status.leaderId ?? null,
    commit_index: status.commitIndex,
    last_applied: status.appliedIndex,
    revision: status.revision,
    peers: status.peers.map(({ nodeId, address, nextIndex, matchIndex }) => ({
      node_id: nodeId,
      address,
      next_index: nextIndex,
      match_index: matchIndex,
    })),
  };
}

function statusLines(status: KvStatus): string[] {
  const { engine, nodeId, role, term, leaderId, commitIndex, appliedIndex, revision, peers } = status;
  return [
    `${nodeId} is ${role} in term ${term}, led by ${leaderId ?? 'nobody'} (${engine})`,
    `revision ${revision}, committed ${commitIndex}, applied ${appliedIndex}`,
    ...peers.map((peer) => `peer ${peer.nodeId} ${peer.address} has ${peer.matchIndex}, next ${peer.nextIndex}`),
  ];
}

/** Larger input than a transaction can be is `too_large`. */
async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of input) {
    bytes += piece.length;
    if (bytes > limits.kvInputBytesMax) throw new CairnError('too_large', 'the input is larger than any transaction');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
