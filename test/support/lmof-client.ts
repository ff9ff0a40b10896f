// A plain speaker of LMOF for tests: it writes what it is told to, right or wrong, and reads whole messages.

import type { Duplex } from 'node:stream';
import type { Message } from '@bufbuild/protobuf';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { decodeHeader, encodeHeader, type Header, headerBytes } from '../../src/api/tcp/header.js';
import { type Action, messageTypes } from '../../src/api/tcp/message-types.js';
import { type Response, ResponseSchema } from '../../src/gen/cairn/lmof/v2/lmof_pb.js';

export interface Received {
  readonly header: Header;
  readonly body: Buffer;
}

export class LmofClient {
  readonly stream: Duplex;
  readonly #received: Received[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (piece: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, piece]);
      this.#cut();
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    stream.on('end', end).on('close', end).on('error', end);
  }

  /** Version 1. */
  sendJson(action: Action, requestId: bigint, data: unknown, extra: object = {}): void {
    const type = `${action}_REQUEST` as const;
    const id = JSON.stringify({ type, data, ...extra }).replace('{', `{"request_id":${requestId},`);
    this.send(1, messageTypes[type], requestId, Buffer.from(id));
  }

  /** Version 2. */
  sendMessage<M extends Message>(
    action: Action,
    requestId: bigint,
    schema: GenMessage<M>,
    message: MessageInitShape<GenMessage<M>>,
    content: Uint8Array = new Uint8Array(0),
  ): void {
    const bytes = toBinary(schema, create(schema, message));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    this.send(2, messageTypes[`${action}_REQUEST`], requestId, Buffer.concat([length, bytes, content]));
  }

  send(version: number, type: number, requestId: bigint, body: Uint8Array, length = BigInt(body.length)): void {
    this.stream.write(encodeHeader({ version, type, length, requestId }));
    if (body.length > 0) this.stream.write(body);
  }

  /** The next message; undefined when the server has ended. */
  async receive(): Promise<Received | undefined> {
    for (;;) {
      const next = this.#received.shift();
      if (next !== undefined || this.#ended) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next message of version 1, with its request id as digits. */
  async receiveJson(): Promise<{
    readonly type: string;
    readonly request_id: number;
    readonly text: string;
    readonly data?: unknown;
  }> {
    const text = `${(await this.receive())?.body}`;
    return { ...JSON.parse(text), text };
  }

  /** The next message of version 2, with the bytes behind it. */
  async receiveMessage(): Promise<{
    readonly requestId: bigint;
    readonly response: Response;
    readonly content: Buffer;
  }> {
    const { header, body } = (await this.receive())!;
    const end = 4 + body.readUInt32BE();
    const response = fromBinary(ResponseSchema, body.subarray(4, end));
    return { requestId: header.requestId, response, content: body.subarray(end) };
  }

  #cut(): void {
    while (this.#bytes.length >= headerBytes) {
      const header = decodeHeader(this.#bytes);
      const end = headerBytes + Number(header.length);
      if (this.#bytes.length < end) return;
      this.#received.push({ header, body: this.#bytes.subarray(headerBytes, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}
