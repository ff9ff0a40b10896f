// Ends sessions that nobody goes on with, and forgets complete ones; removes staged bytes that no session names.

import type { Clock } from '../base/clock.js';
import type { StagingArea } from '../base/staging.js';
import { prefixRange } from '../meta/keys.js';
import type { KeyRange, KeyValue, KvStore, Operation } from '../meta/kv.js';
import { decodeDoneRow, decodeUploadRow, uploadKeys } from './upload-rows.js';
import { type HeldUpload, isUploadId, uploadUnchanged } from './upload-writer.js';

export interface SweepParts {
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly staging: StagingArea;
  /** Does the work, unless somebody works on the session at this moment. */
  readonly unlessHeld: (uploadId: string, work: () => Promise<void>) => Promise<void>;
}

/** What takes a session away. */
export function deletesOf(uploadId: string): readonly Operation[] {
  return [
    { kind: 'delete', range: { start: uploadKeys.session(uploadId) } },
    { kind: 'delete', range: { start: uploadKeys.chunks(uploadId) } },
  ];
}

/** Unless it was changed since it was read. */
export async function dropUpload(kv: KvStore, staging: StagingArea, held: HeldUpload): Promise<void> {
  const { uploadId, tail } = held.row;
  const { succeeded } = await kv.txn({ compares: [uploadUnchanged(held)], success: deletesOf(uploadId) });
  if (succeeded && tail !== undefined) await staging.remove(tail.name);
}

export async function sweepUploads({ kv, clock, staging, unlessHeld }: SweepParts): Promise<void> {
  const now = clock.now();
  for await (const { value, revision } of keysOf(kv, prefixRange(uploadKeys.sessions()))) {
    const row = decodeUploadRow(value);
    if (row.expiresAt <= now) await unlessHeld(row.uploadId, () => dropUpload(kv, staging, { row, revision }));
  }
  for await (const { key, value } of keysOf(kv, prefixRange(uploadKeys.allDone()))) {
    if (decodeDoneRow(value).expiresAt <= now) await kv.txn({ success: [{ kind: 'delete', range: { start: key } }] });
  }
  for (const name of await staging.names()) {
    const uploadId = name.split('.')[0]!;
    if (!isUploadId(uploadId)) continue;
    const isNamed = async () => {
      const item = await kv.get(uploadKeys.session(uploadId));
      return item !== undefined && decodeUploadRow(item.value).tail?.name === name;
    };
    if (await isNamed()) continue;
    await unlessHeld(uploadId, async () => {
      if (!(await isNamed())) await staging.remove(name);
    });
  }
}

async function* keysOf(kv: KvStore, range: KeyRange): AsyncGenerator<KeyValue> {
  let after: Uint8Array | undefined;
  for (let more = true; more; ) {
    const page = await kv.range(range, { after });
    yield* page.items;
    after = page.items.at(-1)?.key;
    more = page.more;
  }
}
