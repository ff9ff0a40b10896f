// GET and HEAD of one blob, by its own name or another: whole, conditional, or in parts. HEAD never looks at Range, which is defined for GET alone.

import type { BlobStore } from '../../base/blob-store.js';
import { type BlobHash, formatHash, parseHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { blobTag } from './conditions.js';
import type { AnswerHeaders, Exchange } from './exchange.js';
import { sendBlob } from './send-blob.js';
import { answerByCondition, sendContent } from './send-content.js';

export interface ReadBlobParts {
  readonly store: BlobStore;
  /** Makes the boundaries between the parts of an answer. */
  readonly random: Random;
}

/** How a blob is shown. */
export interface BlobView {
  readonly contentType: string;
  /** Sent with every answer about it beside those of all blobs. */
  readonly headers: AnswerHeaders;
  /** The size somebody claims for it; a blob of another size is not this one. */
  readonly size: number | undefined;
}

const plainView: BlobView = { contentType: 'application/octet-stream', headers: {}, size: undefined };

export async function readBlob(parts: ReadBlobParts, exchange: Exchange, name: string): Promise<void> {
  await serveBlob(parts, exchange, parseHash(name), plainView);
}

/** Answers GET and HEAD with a blob: whole, in parts, or "not modified". `not_found` when it is not here. */
export async function serveBlob(
  { store, random }: ReadBlobParts,
  exchange: Exchange,
  hash: BlobHash,
  view: BlobView,
): Promise<void> {
  const tag = blobTag(hash);
  const common = { 'accept-ranges': 'bytes', ...immutableHeaders(exchange, tag), ...view.headers };
  if (exchange.method === 'HEAD') {
    const [stat] = await store.stat([hash]);
    if (stat === undefined || !isSize(view, stat.size)) throw noSuchBlob(hash);
    if (answerByCondition(exchange, tag, common)) return;
    exchange.answer(200, { ...common, 'content-type': view.contentType, 'content-length': stat.size });
    return;
  }
  const handle = await store.open(hash);
  if (handle === undefined) throw noSuchBlob(hash);
  try {
    if (!isSize(view, handle.digest.size)) throw noSuchBlob(hash);
    if (answerByCondition(exchange, tag, common)) return;
    await sendContent(exchange, random, {
      size: handle.digest.size,
      tag,
      contentType: view.contentType,
      headers: common,
      send: (status, headers, parts) => sendBlob(exchange, status, headers, handle, parts),
    });
  } finally {
    await handle.close();
  }
}

function isSize(view: BlobView, size: number): boolean {
  return view.size === undefined || view.size === size;
}

/** For what its name says for ever. What was shown to somebody is not for a cache that others are answered from. */
export function immutableHeaders({ account }: Pick<Exchange, 'account'>, tag: string): AnswerHeaders {
  return {
    etag: tag,
    'cache-control': account === '' ? 'public, max-age=31536000, immutable' : 'private, max-age=31536000, immutable',
    // Whatever the bytes look like to a browser, they are nobody's script.
    'x-content-type-options': 'nosniff',
  };
}

function noSuchBlob(hash: BlobHash): CairnError {
  return new CairnError('not_found', `there is no blob ${formatHash(hash)}`);
}
