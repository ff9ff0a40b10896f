// Which entries of a directory are what a tree says? Contents are always hashed: a size and a time that agree prove
// nothing about who wrote the bytes. The hashing runs in worker threads, some bundles ahead; answers keep the walk's order.

import { hashHex } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Examined, ExpectedFile, ExpectedLink } from './entry-worker.js';
import type { EntryWorkers } from './entry-workers.js';
import type { Place, Step } from './tree-walk.js';

/** The steps of a walk, with the places examined: nothing when all is as the tree says. */
export type Compared = Exclude<Step, { readonly place: Place }> | { readonly place: Place; readonly found: Examined };

/** Bundles of steps in order. `canceled` soon after the signal was raised. */
export async function* compare(
  steps: AsyncIterable<Step>,
  workers: EntryWorkers,
  signal: AbortSignal,
): AsyncGenerator<readonly Compared[]> {
  const ahead: Promise<Compared[]>[] = [];
  for await (const { bundle, pause } of inBundles(steps)) {
    if (signal.aborted) throw new CairnError('canceled', 'canceled');
    const compared = examineBundle(bundle, workers);
    compared.catch(() => {});
    ahead.push(compared);
    while (ahead.length > (pause ? 0 : workers.threads * limits.hashTasksAheadCountMax)) yield await ahead.shift()!;
  }
  for (const compared of ahead) yield await compared;
}

async function examineBundle(bundle: readonly Step[], workers: EntryWorkers): Promise<Compared[]> {
  const wanted = bundle.flatMap((step) => {
    return step !== 'pause' && 'place' in step && atAGlance(step.place) === undefined ? expected(step.place) : [];
  });
  const answers = (wanted.length > 0 ? await workers.examine(wanted) : []).values();
  return bundle.map((step) => {
    if (step === 'pause' || 'extra' in step) return step;
    return { place: step.place, found: atAGlance(step.place) ?? answers.next().value! };
  });
}

/** What can be told from the kind alone; undefined when the entry itself must be looked at. */
function atAGlance({ item, existing }: Place): Examined | undefined {
  if (existing === undefined) return ['missing'];
  if (existing !== item.kind) return ['type'];
  return item.kind === 'directory' ? [] : undefined;
}

function expected({ item, name, directory }: Place): (ExpectedFile | ExpectedLink)[] {
  if (directory === undefined || item.kind === 'directory') return [];
  if (item.kind === 'symlink') return [{ directory: directory.path, name, target: item.target }];
  const { digest, executable, readonly } = item;
  return [{ directory: directory.path, name, hash: hashHex(digest.hash), size: digest.size, executable, readonly }];
}

/** Steps in bundles worth a trip to a thread; a pause ends one. */
async function* inBundles(
  steps: AsyncIterable<Step>,
): AsyncGenerator<{ readonly bundle: readonly Step[]; readonly pause: boolean }> {
  let bundle: Step[] = [];
  let bytes = 0;
  for await (const step of steps) {
    bundle.push(step);
    const pause = step === 'pause';
    if (!pause && 'place' in step && step.place.item.kind === 'file' && step.place.existing === 'file') {
      bytes += step.place.item.digest.size;
    }
    if (!pause && bundle.length < limits.hashTaskFilesCountMax && bytes < limits.hashTaskBytesMax) continue;
    yield { bundle, pause };
    bundle = [];
    bytes = 0;
  }
  if (bundle.length > 0) yield { bundle, pause: false };
}
