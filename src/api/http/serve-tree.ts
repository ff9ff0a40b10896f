// GET and HEAD below /trees: files of a tree, its directories, and the whole of it as an archive.
//
// Whatever a tree holds may be shown by a browser, from the same origin as the API. So every answer carries a policy under
// which a page runs no scripts, sends no forms, and loads from this server alone: it can be looked at, and cannot act.

import { extname } from 'node:path/posix';
import { contentType } from 'mime-types';
import { hashHex, parseHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import type { FileItem } from '../../tree/tree-item.js';
import { TreeReader } from '../../tree/tree-reader.js';
import { missingTreeBlobs } from '../missing-tree-blobs.js';
import { callNodes } from '../tree-nodes.js';
import type { Exchange } from './exchange.js';
import { immutableHeaders, type ReadBlobParts, serveBlob } from './read-blob.js';
import { sendPieces } from './send-blob.js';
import { answerByCondition } from './send-content.js';
import { archiveItems, archiveVersion } from './tree-archive.js';
import { listDirectory } from './tree-listing.js';
import { findPlace, parseTreePath } from './tree-path.js';

/**
 * `sandbox` without `allow-scripts` and `allow-forms` is what counts; the rest says the same once more, and keeps pages
 * from telling other sites that they were read. `allow-same-origin` lets a page load its own images and styles past the
 * guard of a loopback server, to which a page of no origin is a stranger.
 */
const policy = [
  'sandbox allow-same-origin allow-downloads',
  "default-src 'none'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "media-src 'self' data:",
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

const treeHeaders = { 'content-security-policy': policy };

/** `path` is the URL's, behind the tree's name. */
export async function serveTree(parts: ReadBlobParts, exchange: Exchange, name: string, path: string): Promise<void> {
  const root = parseHash(name);
  const { names, endsInSlash } = parseTreePath(path);
  const reader = await TreeReader.open(callNodes(parts.store, exchange.signal), root);
  const place = await findPlace(reader, names);
  if (place === undefined) throw nothingAt(names);
  if (place.kind === 'file') {
    if (endsInSlash) throw nothingAt(names);
    await serveFile(parts, exchange, place, names.at(-1)!);
    return;
  }
  if (!endsInSlash) {
    // Otherwise a browser takes relative links of the page for relative to the directory above.
    const location = ['/trees', hashHex(root), ...names.map(encodeURIComponent), ''].join('/');
    exchange.answer(308, { ...treeHeaders, location });
    return;
  }
  const index = await findPlace(reader, [...place.names, 'index.html']);
  if (index?.kind === 'file') {
    await serveFile(parts, exchange, index, 'index.html');
    return;
  }
  const tag = `"listing-${listingVersion}-${hashHex(root)}"`;
  const headers = { ...immutableHeaders(exchange, tag), ...treeHeaders };
  if (answerByCondition(exchange, tag, headers)) return;
  exchange.answerJson(200, await listDirectory(reader, place.names.join('/')), headers);
}

/** Goes up when listings change. */
const listingVersion = 1;

async function serveFile(parts: ReadBlobParts, exchange: Exchange, file: FileItem, name: string): Promise<void> {
  await serveBlob(parts, exchange, file.digest.hash, {
    contentType: contentTypeOf(name),
    headers: treeHeaders,
    size: file.digest.size,
  });
}

function contentTypeOf(name: string): string {
  const known = extname(name) === '' ? false : contentType(name);
  return known === false ? 'application/octet-stream' : known;
}

function nothingAt(names: readonly string[]): CairnError {
  return new CairnError('not_found', `the tree has no ${JSON.stringify(names.join('/'))}`);
}

/**
 * The archive begins only when all blobs of the tree are here: asking the store for each is cheap beside sending them. One
 * that goes away later breaks the answer off.
 */
export async function serveTreeArchive({ store }: ReadBlobParts, exchange: Exchange, name: string): Promise<void> {
  const root = parseHash(name);
  const { signal } = exchange;
  if (exchange.request.httpVersion === '1.0') {
    // It knows no chunks: an archive that was broken off would look whole.
    throw new CairnError('unimplemented', 'the length of an archive is not known ahead: ask with HTTP/1.1 or later');
  }
  const reader = await TreeReader.open(callNodes(store, signal), root);
  const tag = `"tar-${archiveVersion}-${hashHex(root)}"`;
  const headers = {
    ...immutableHeaders(exchange, tag),
    ...treeHeaders,
    'content-type': 'application/x-tar',
    'content-disposition': `attachment; filename="${hashHex(root)}.tar"`,
    'accept-ranges': 'none',
  };
  if (answerByCondition(exchange, tag, headers)) return;
  for await (const { hash } of missingTreeBlobs(store, root, signal)) {
    throw new CairnError('not_found', `the tree is not complete: blob ${hashHex(hash)} is missing`);
  }
  if (exchange.method === 'HEAD') {
    // How long it will be is not known.
    exchange.response.writeHead(200, headers);
    exchange.response.end();
    return;
  }
  const pieces = archiveItems(store, reader.items(), signal, exchange.memory);
  try {
    await sendPieces(exchange, 200, headers, async () => (await pieces.next()).value ?? undefined);
  } finally {
    await pieces.return();
  }
}
