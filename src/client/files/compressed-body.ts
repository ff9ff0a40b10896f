// Bodies as they are sent: JSON, and gzip where the client was told to compress and there is something to gain.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { limits } from '../../base/limits.js';
import type { HttpCall } from './http-caller.js';

type Sent = Pick<HttpCall, 'body' | 'headers'>;

export function jsonBody(value: unknown): Sent {
  return { body: Buffer.from(JSON.stringify(value)), headers: { 'content-type': 'application/json' } };
}

/** The same bytes, compressed where that makes them shorter. */
export async function compressed(sent: Sent & { readonly body: Uint8Array }): Promise<Sent> {
  if (sent.body.length < limits.fileCompressBytesMin) return sent;
  const shorter = await promisify(gzip)(sent.body, { level: 1 });
  if (shorter.length >= sent.body.length) return sent;
  return { body: shorter, headers: { ...sent.headers, 'content-encoding': 'gzip' } };
}
