// Files in a `multipart/form-data` body, one after the other, as streams: the parser holds one piece, and asks for the next
// when the reader of the present file has taken what there is. Fields that are no files are passed over. A body that ends
// early, or is cut wrongly, fails where it is read: in the file under way, or where the next one is asked for.

import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import type { Exchange } from '../exchange.js';
import { decodedBody } from './decoded-body.js';

export interface FilePart {
  /** Name of the form's field. */
  readonly field: string;
  /** As the client says, path and all. */
  readonly fileName: string;
  /** As the client says, or `text/plain` when it says nothing. */
  readonly contentType: string;
  /** To be read before the next part is asked for; what is left then is passed over. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** `invalid_argument` for what is no such body, `too_large` for more than `filesMax` files or too many fields. */
export async function* readFileParts(exchange: Exchange, filesMax: number): AsyncGenerator<FilePart> {
  const reader = new PartReader(createParser(exchange, filesMax), filesMax);
  // Left to itself when nobody reads any more: it may be waiting for a piece that comes late or never.
  void reader.pump(decodedBody(exchange));
  try {
    for (;;) {
      const part = await reader.next();
      if (part === undefined) return;
      yield part;
    }
  } finally {
    reader.stop();
  }
}

/** The only file of a body: its end is told when the whole body has been found in order. */
export async function readOnlyFilePart(exchange: Exchange, field: string): Promise<FilePart> {
  const parts = readFileParts(exchange, 1);
  const { value: part } = await parts.next();
  if (part === undefined || part.field !== field) {
    await parts.return(undefined);
    throw noSuchPart(field);
  }
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      yield* part!.body;
      await parts.next();
    } finally {
      await parts.return(undefined);
    }
  }
  return { ...part, body: body() };
}

export function noSuchPart(field: string): CairnError {
  const subject = { kind: 'parameter', id: field } as const;
  return new CairnError('invalid_argument', `a part named ${field} with a filename is expected`, { subject });
}

function createParser(exchange: Exchange, filesMax: number): BusboyInstance {
  const type = exchange.header('content-type') ?? '';
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new CairnError('invalid_argument', `the body must be multipart/form-data, not ${type || 'of no type'}`);
  }
  try {
    return new Busboy({
      headers: { 'content-type': type },
      preservePath: true,
      fileHwm: limits.firstReadBytes,
      isPartAFile: (_field, _type, fileName) => fileName !== undefined,
      limits: {
        parts: filesMax + limits.formFieldsCountMax,
        files: filesMax,
        fields: limits.formFieldsCountMax,
        fieldSize: limits.formFieldBytesMax,
        headerPairs: limits.partHeadersCountMax,
        headerSize: limits.partHeaderBytesMax,
      },
    });
  } catch (cause) {
    throw new CairnError('invalid_argument', (cause as Error).message, { cause });
  }
}

/** Between the parser, which calls back, and its reader, who asks. */
class PartReader {
  readonly #parser: BusboyInstance;
  readonly #arrived: { readonly part: FilePart; readonly stream: BusboyFileStream }[] = [];
  #current: BusboyFileStream | undefined;
  #finished = false;
  #stopped = false;
  #failure: CairnError | undefined;
  #wake: (() => void)[] = [];

  constructor(parser: BusboyInstance, filesMax: number) {
    this.#parser = parser;
    const refuse = (what: string) => () => this.#fail(new CairnError('too_large', `the body has more than ${what}`));
    parser.on('file', (field, stream, fileName, _encoding, contentType) =>
      this.#arrive(stream, { field, fileName, contentType }),
    );
    parser.on('filesLimit', refuse(filesMax === 1 ? 'one file' : `${filesMax} files`));
    parser.on('fieldsLimit', refuse(`${limits.formFieldsCountMax} fields`));
    parser.on('partsLimit', refuse(`${filesMax + limits.formFieldsCountMax} parts`));
    parser.on('error', (cause) => this.#fail(new CairnError('invalid_argument', `multipart: ${cause}`, { cause })));
    parser.on('finish', () => {
      this.#finished = true;
      this.#wakeAll();
    });
  }

  /** Feeds the parser to the end of the body, or until nobody reads any more. Failures reach the reader. */
  async pump(body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of body) {
        if (!(await this.#write(piece))) return;
      }
      this.#parser.end();
    } catch (error) {
      this.#fail(error instanceof CairnError ? error : new CairnError('internal', 'multipart', { cause: error }));
    }
  }

  /** Undefined after the last. */
  async next(): Promise<FilePart | undefined> {
    this.#current?.resume();
    await this.#until(() => this.#arrived.length > 0 || this.#finished || this.#failure !== undefined);
    const first = this.#arrived.shift();
    if (first === undefined && this.#failure !== undefined) throw this.#failure;
    this.#current = first?.stream;
    return first?.part;
  }

  /** Nobody reads any more. */
  stop(): void {
    this.#stopped = true;
    this.#wakeAll();
  }

  /** Whether to go on. */
  async #write(piece: Uint8Array): Promise<boolean> {
    let taken = false;
    this.#parser.write(piece, () => {
      taken = true;
      this.#wakeAll();
    });
    await this.#until(() => taken || this.#stopped || this.#failure !== undefined);
    return !this.#stopped && this.#failure === undefined;
  }

  #arrive(stream: BusboyFileStream, head: Omit<FilePart, 'body'>): void {
    // Told where it is read; until then it must not count as unhandled.
    stream.on('error', () => {});
    this.#arrived.push({ stream, part: { ...head, body: this.#read(stream) } });
    this.#wakeAll();
  }

  async *#read(stream: BusboyFileStream): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  #fail(error: CairnError): void {
    this.#failure ??= error;
    // Their ends will not come.
    for (const stream of [this.#current, ...this.#arrived.map(({ stream }) => stream)]) stream?.destroy(error);
    this.#wakeAll();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
