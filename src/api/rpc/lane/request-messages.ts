// Whole messages of a request: decompressed where they are compressed, and none larger than a message may be.

import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type Compression, compressedFlag } from '@connectrpc/connect/protocol';
import { limits } from '../../../base/limits.js';
import { tooLarge } from './envelope.js';
import type { LaneProtocol } from './protocols.js';
import type { RequestEnvelopes } from './request-envelopes.js';

const nothing = new Uint8Array(0);

export class RequestMessages {
  readonly envelopes: RequestEnvelopes;
  readonly #protocol: LaneProtocol;
  readonly #compression: Compression | null;

  constructor(envelopes: RequestEnvelopes, protocol: LaneProtocol, compression: Compression | null) {
    this.envelopes = envelopes;
    this.#protocol = protocol;
    this.#compression = compression;
  }

  /** The next message; undefined at the end. */
  async next<D extends DescMessage>(schema: D): Promise<MessageShape<D> | undefined> {
    while (await this.envelopes.nextHead()) {
      const message = await this.rest(schema, nothing);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  /** The message whose head was read and whose first bytes were taken; undefined for the sender's end. */
  async rest<D extends DescMessage>(schema: D, taken: Uint8Array): Promise<MessageShape<D> | undefined> {
    const { flags } = this.envelopes.reader;
    let bytes = await this.envelopes.restOfMessage(taken);
    if ((flags & compressedFlag) !== 0) bytes = await this.#decompress(bytes);
    const { endFlag } = this.#protocol;
    if (endFlag !== 0 && (flags & endFlag) === endFlag) return undefined;
    if (bytes.length > limits.requestMessageBytesMax) throw tooLarge(bytes.length);
    try {
      return fromBinary(schema, bytes);
    } catch (error) {
      throw new ConnectError(`parse binary: ${error instanceof Error ? error.message : error}`, Code.Internal);
    }
  }

  #decompress(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#compression === null) {
      throw new ConnectError('received compressed envelope, but do not know how to decompress', Code.Internal);
    }
    return this.#compression.decompress(bytes as Uint8Array<ArrayBuffer>, limits.requestMessageBytesMax);
  }
}
