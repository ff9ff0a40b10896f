// Pieces of text that end in newlines or NUL bytes, out of a stream.

import { createReadStream } from 'node:fs';
import { unreadable } from './file-chunks.js';

/** The file's bytes, or standard input's for `-`. */
export function openInput(name: string): AsyncIterable<Uint8Array> {
  return name === '-' ? process.stdin : readable(name);
}

async function* readable(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Non-empty entries in order; the last need not be ended. */
export async function* entries(input: AsyncIterable<Uint8Array>, separator: '\n' | '\0'): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of input) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split(separator);
    rest = parts.pop()!;
    for (const part of parts) if (part !== '') yield part;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
