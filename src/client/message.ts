// The messages of a sync, by hand: the generated code takes several times as long for thousands of small items, and
// loading it longer than asking one question. proto/ says what they hold. Requests come as gRPC frames, each in one piece.

import { type Digest, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { digestLength, FrameWriter, fieldLength, tags } from '../base/message-frame.js';

/** `NegotiateBlobsRequest`. */
export function encodeDigests(digests: readonly Digest[]): Uint8Array {
  let length = 0;
  for (const digest of digests) length += fieldLength(digestLength(digest));
  const writer = new FrameWriter(length);
  for (const digest of digests) writer.digest(digest);
  return writer.finish();
}

/** A message whose first field has these bytes and no other. */
export function encodeBytes(bytes: Uint8Array): Uint8Array {
  const writer = new FrameWriter(fieldLength(bytes.length));
  writer.tag(tags.bytes1, bytes.length);
  writer.bytes(bytes);
  return writer.finish();
}

/** `NegotiateBlobsResponse`. The hashes are copies. */
export function decodeDigests(message: Uint8Array): Digest[] {
  const digests: Digest[] = [];
  const reader = new Reader(message);
  while (reader.next()) if (reader.field === 1) digests.push(decodeDigest(reader.bytes()));
  return digests;
}

export interface BatchAnswer {
  readonly existed: boolean;
  /** A gRPC status; 0 is success. */
  readonly code: number;
  readonly message: string;
}

/** `BatchWriteResponse`. */
export function decodeBatchAnswers(message: Uint8Array): BatchAnswer[] {
  const answers: BatchAnswer[] = [];
  const reader = new Reader(message);
  while (reader.next()) if (reader.field === 1) answers.push(decodeBatchAnswer(reader.bytes()));
  return answers;
}

/** `CheckTreeResponse`. */
export function decodeTreeCheck(message: Uint8Array): { complete: boolean; missing: Digest[] } {
  const check = { complete: false, missing: [] as Digest[] };
  const reader = new Reader(message);
  while (reader.next()) {
    if (reader.field === 1) check.complete = reader.number !== 0;
    else if (reader.field === 2) check.missing.push(decodeDigest(reader.bytes()));
  }
  return check;
}

/** `TransportDetails`, without the address. */
export function decodeTransportDetails(message: Uint8Array): { authToken: string; recommendedConcurrency: number } {
  const details = { authToken: '', recommendedConcurrency: 0 };
  const reader = new Reader(message);
  while (reader.next()) {
    if (reader.field === 2) details.authToken = new TextDecoder().decode(reader.bytes());
    else if (reader.field === 3) details.recommendedConcurrency = reader.number;
  }
  return details;
}

function decodeBatchAnswer(item: Uint8Array): BatchAnswer {
  let [existed, code, message] = [false, 0, ''];
  const reader = new Reader(item);
  while (reader.next()) {
    if (reader.field === 3) existed = reader.number !== 0;
    if (reader.field !== 2) continue;
    const status = new Reader(reader.bytes());
    while (status.next()) {
      if (status.field === 1) code = status.number;
      else if (status.field === 2) message = new TextDecoder().decode(status.bytes());
    }
  }
  return { existed, code, message };
}

function decodeDigest(bytes: Uint8Array): Digest {
  let size = 0;
  let hash = new Uint8Array(0);
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.field === 1) size = reader.number;
    else if (reader.field === 2) hash = new Uint8Array(reader.bytes());
  }
  return toDigest(toHash(hash), size);
}

/** Goes over the fields of a message. What is cut off is an error, `internal`. */
class Reader {
  field = 0;
  /** The field's value, or the length of its bytes. */
  number = 0;
  #wireType = 0;
  #at = 0;
  #valueAt = 0;

  constructor(private readonly message: Uint8Array) {}

  /** Steps to the next field, if there is one. */
  next(): boolean {
    if (this.#at >= this.message.length) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    this.number = 0;
    if (this.#wireType === 0) this.number = this.#varint();
    else if (this.#wireType === 2) this.number = this.#varint();
    else if (this.#wireType === 1 || this.#wireType === 5) this.number = this.#wireType === 1 ? 8 : 4;
    else throw malformed();
    this.#valueAt = this.#at;
    if (this.#wireType !== 0) this.#at += this.number;
    if (this.#at > this.message.length) throw malformed();
    return true;
  }

  /** The field's bytes, within the message. */
  bytes(): Uint8Array {
    if (this.#wireType !== 2) throw malformed();
    return this.message.subarray(this.#valueAt, this.#valueAt + this.number);
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.message[this.#at++];
      if (byte === undefined || factor > 2 ** 63) throw malformed();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
}

function malformed(): CairnError {
  return new CairnError('internal', 'the server sent a malformed message');
}
