// The messages of a sync, by hand: the generated code takes several times as long for thousands of small items, and
// loading it longer than asking one question. proto/ says what they hold. Requests come as gRPC frames, each in one piece.

import type { NamedBlob } from '../base/blob-store.js';
import { type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';

/** A byte for compression, which is not used, and the length in four. */
export const frameHeaderBytes = 5;

/** Tags of the fields 1 to 3 that hold a length and bytes, and of those that hold a number. */
const [bytes1, bytes2, number1] = [0x0a, 0x12, 0x08];

/** `NegotiateBlobsRequest`. */
export function encodeDigests(digests: readonly Digest[]): Uint8Array {
  let length = 0;
  for (const digest of digests) length += 2 + digestLength(digest);
  const writer = new FrameWriter(length);
  for (const digest of digests) writer.digest(digest);
  return writer.frame;
}

/** `BatchWriteRequest`. */
export function encodeBatch(blobs: readonly NamedBlob[]): Uint8Array {
  let length = 0;
  for (const blob of blobs) {
    const item = itemLength(blob);
    length += 1 + varintLength(item) + item;
  }
  const writer = new FrameWriter(length);
  for (const blob of blobs) {
    writer.tag(bytes1, itemLength(blob));
    writer.digest(blob.digest);
    writer.tag(bytes2, blob.bytes.length);
    writer.bytes(blob.bytes);
  }
  return writer.frame;
}

/** A message whose first field has these bytes and no other. */
export function encodeBytes(bytes: Uint8Array): Uint8Array {
  const writer = new FrameWriter(1 + varintLength(bytes.length) + bytes.length);
  writer.tag(bytes1, bytes.length);
  writer.bytes(bytes);
  return writer.frame;
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

function itemLength({ digest, bytes }: NamedBlob): number {
  return 2 + digestLength(digest) + 1 + varintLength(bytes.length) + bytes.length;
}

/** Below 128, so that its own length takes one byte. */
function digestLength({ size }: Digest): number {
  return 1 + varintLength(size) + 2 + hashLength;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest /= 128) length++;
  return length;
}

class FrameWriter {
  readonly frame: Uint8Array;
  #at = frameHeaderBytes;

  constructor(length: number) {
    this.frame = new Uint8Array(frameHeaderBytes + length);
    new DataView(this.frame.buffer).setUint32(1, length);
  }

  tag(tag: number, value: number): void {
    this.frame[this.#at++] = tag;
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.frame[this.#at++] = (rest % 128) | 128;
    this.frame[this.#at++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.frame.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** As field 1. */
  digest(digest: Digest): void {
    this.tag(bytes1, digestLength(digest));
    this.tag(number1, digest.size);
    this.tag(bytes2, hashLength);
    this.bytes(digest.hash);
  }
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
