// GET and HEAD of a file's bytes: whole, conditional, or in parts. The tag is that of the version's manifest, so that equal
// bytes have equal tags, whatever they are called.

import contentDisposition from 'content-disposition';
import type { Random } from '../../../base/random.js';
import type { FileInfo } from '../../../file/file-info.js';
import type { OpenFile } from '../../../file/file-service.js';
import type { Part } from '../../read-ahead.js';
import { blobTag } from '../conditions.js';
import type { AnswerHeaders, Exchange } from '../exchange.js';
import { sendPieces } from '../send-blob.js';
import { answerByCondition, sendContent } from '../send-content.js';

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
  };
  if (answerByCondition(exchange, tag, headers)) return;
  if (exchange.method === 'HEAD') {
    exchange.answer(200, { ...headers, 'content-type': contentType, 'content-length': info.size });
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
  const sending = pieces();
  try {
    await sendPieces(exchange, status, headers, async () => (await sending.next()).value ?? undefined);
  } finally {
    await sending.return(undefined);
  }
}
