// The commands of the simulated state machine: a few registers. Padding makes them as long as the limits want them tried.

import type { RegisterValue } from './linearizability.js';

export interface Command {
  readonly kind: 'write' | 'cas';
  readonly key: number;
  /** 0 is "no value". */
  readonly from: number;
  readonly to: number;
}

export function encodeCommand({ kind, key, from, to }: Command, padding: number): Uint8Array {
  const bytes = new Uint8Array(10 + padding);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind === 'write' ? 1 : 2);
  view.setUint8(1, key);
  view.setUint32(2, from);
  view.setUint32(6, to);
  return bytes;
}

export function decodeCommand(bytes: Uint8Array): Command {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    kind: view.getUint8(0) === 1 ? 'write' : 'cas',
    key: view.getUint8(1),
    from: view.getUint32(2),
    to: view.getUint32(6),
  };
}

/** The registers, and whether a compare-and-swap has swapped. */
export function execute(registers: Map<number, number>, { kind, key, from, to }: Command): boolean {
  if (kind === 'cas' && (registers.get(key) ?? 0) !== from) return false;
  registers.set(key, to);
  return true;
}

export function registerValue(registers: ReadonlyMap<number, number>, key: number): RegisterValue {
  return registers.get(key);
}
