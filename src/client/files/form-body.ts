// Files as a form (`multipart/form-data`, RFC 7578), one after the other, asked for piece by piece.

import { CairnError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { uniqueName } from '../../base/random.js';
import { sourceError } from '../error-codes.js';

/** A file to be stored, of any length; a stream is asked for its first piece when its turn comes. */
export interface NamedContent {
  readonly name: string;
  readonly content: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly contentType?: string | undefined;
}

export interface Form {
  readonly contentType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** `invalid_argument` for a name or a type that cannot be written down. What a stream throws is thrown by the body. */
export function formOf(files: readonly NamedContent[], random: Random): Form {
  const boundary = uniqueName(random);
  const heads = files.map((file) => Buffer.from(`--${boundary}\r\n${headOf(file)}\r\n\r\n`));
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const [i, { content }] of files.entries()) {
      yield heads[i]!;
      if (content instanceof Uint8Array) yield content;
      else yield* pieces(content);
      yield Buffer.from('\r\n');
    }
    yield Buffer.from(`--${boundary}--\r\n`);
  }
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: body() };
}

async function* pieces(content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw sourceError(error);
  }
}

function headOf({ name, contentType = 'application/octet-stream' }: NamedContent): string {
  if (Buffer.from(name).toString() !== name) {
    throw new CairnError('invalid_argument', `the name ${JSON.stringify(name)} is not Unicode`);
  }
  if (/[\r\n]/.test(name)) {
    throw new CairnError('invalid_argument', 'forms carry no names with line breaks: upload this file by itself');
  }
  if (/[^\t\x20-\x7e]/.test(contentType)) {
    throw new CairnError('invalid_argument', `${JSON.stringify(contentType)} is no type of a content`);
  }
  return `Content-Disposition: form-data; name="file"; ${fileNameParameter(name)}\r\nContent-Type: ${contentType}`;
}

/** What cannot be seen cannot stand between quotes, and comes as in other headers (RFC 8187). */
function fileNameParameter(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(name)) return `filename*=UTF-8''${encodeURIComponent(name).replaceAll("'", '%27')}`;
  return `filename="${name.replace(/["\\]/g, '\\$&')}"`;
}
