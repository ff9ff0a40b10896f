// GET and HEAD of a file's bytes: whole, compressed, conditional, or in parts. The tag is that of the version's manifest, so that equal
// bytes have equal tags, whatever they are called.

import { constants, createGzip } from 'node:zlib';
import contentDisposition from 'content-disposition';
import type { Random } from '../../../base/random.js';
import type { FileInfo } from '../../../file/file-info.js';
import type { OpenFile } from '../../../file/file-service.js';
import type { Part } from '../../read-ahead.js';
import { blobTag } from '../conditions.js';
import type { AnswerHeaders, Exchange } from '../exchange.js';
import { sendPieces } from '../send-blob.js';
import { answerByCondition, sendContent } from '../send-content.js';
import { through } from './through.js';

const contentType = 'application/octet-stream';

export async function downloadFile(exchange: Exchange, random: Random, file: OpenFile): Promise<void> {
  const { info } = file;
  const tag = blobTag(info.manifest);
  const headers = {
    etag: tag,
    'accept-ranges': 'bytes',
    // The next version may come at any time.
    'cache-control': 'no-cache',
    'content-disposition': dispositionOf(info),
    'x-content-type-options': 'nosniff',
    vary: 'accept-encoding, origin',
  };
  if (answerByCondition(exchange, tag, headers)) return;
  if (exchange.method === 'HEAD') {
    exchange.answer(200, { ...headers, 'content-type': contentType, 'content-length': info.size });
    return;
  }
  if (exchange.header('range') === undefined && prefersGzip(exchange.header('accept-encoding') ?? '')) {
    // The same content in other bytes: a weak tag, and no parts.
    const encoded = {
      'content-type': contentType,
      'content-encoding': 'gzip',
      etag: `W/${tag}`,
      'accept-ranges': 'none',
    };
    const bytes = file.bytes(undefined, { signal: exchange.signal });
    await sendAll(
      exchange,
      200,
      { ...headers, ...encoded },
      through(bytes, createGzip({ level: constants.Z_BEST_SPEED })),
    );
    return;
  }
  await sendContent(exchange, random, {
    size: info.size,
    tag,
    contentType,
    headers,
    send: (status, head, parts) => sendParts(exchange, status, head, file, parts),
  });
}

/** Something to save under the file's name. In headers only ASCII is safe; clients that know better read `filename*`. */
export function dispositionOf({ name }: Pick<FileInfo, 'name'>): string {
  return contentDisposition(name, { fallback: name.replace(/[^\x20-\x7e]/gu, '_') });
}

/**
 * Compressing costs more than sending, and most programs name gzip without a thought. Who means it says that plain bytes are
 * less welcome: `gzip, identity;q=0.5`.
 */
function prefersGzip(header: string): boolean {
  const weights = new Map(
    header.split(',').map((coding) => {
      const [name, weight] = coding.split(/;\s*q=/i) as [string, string | undefined];
      return [name.trim().toLowerCase(), Number(weight ?? 1)];
    }),
  );
  const [gzip, identity] = [weights.get('gzip'), weights.get('identity')];
  return gzip !== undefined && identity !== undefined && gzip > identity;
}

async function sendParts(
  exchange: Exchange,
  status: number,
  headers: AnswerHeaders,
  file: OpenFile,
  parts: readonly Part[],
): Promise<void> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const part of parts) {
      if (part instanceof Uint8Array) yield part;
      else if (part.end > part.start) yield* file.bytes(part, { signal: exchange.signal, recycles: true });
    }
  }
  await sendAll(exchange, status, headers, pieces());
}

/** Sends the head and all pieces. */
export async function sendAll(
  exchange: Exchange,
  status: number,
  headers: AnswerHeaders,
  pieces: AsyncGenerator<Uint8Array>,
): Promise<void> {
  try {
    await sendPieces(exchange, status, headers, async () => (await pieces.next()).value ?? undefined);
  } finally {
    await pieces.return(undefined);
  }
}
