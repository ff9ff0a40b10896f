import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { ReceiveWindows } from '../../src/client/receive-windows.js';

const { clientFirstStreamWindowBytes: narrow, clientStreamWindowBytes: wide } = limits;
const wideStreams = limits.clientSessionWindowBytes / wide;

let set: (number | undefined)[];
let session: { destroyed: boolean; pendingSettingsAck: boolean; settings(settings: object): void };
let windows: ReceiveWindows;

beforeEach(() => {
  set = [];
  session = {
    destroyed: false,
    pendingSettingsAck: false,
    settings: ({ initialWindowSize }: { initialWindowSize?: number }) => set.push(initialWindowSize),
  };
  windows = new ReceiveWindows(session);
});

function open(count: number): EventEmitter[] {
  return Array.from({ length: count }, () => {
    const stream = new EventEmitter();
    windows.opened(stream as never);
    return stream;
  });
}

function readMuch(): void {
  for (let i = 0; i < limits.clientEarnedReadsCountMin; i++) windows.read();
}

describe('ReceiveWindows', () => {
  it('widen once something reads much', () => {
    open(1);
    windows.read();
    expect(set).toEqual([]);
    readMuch();
    readMuch();
    expect(set).toEqual([wide]);
  });

  it('are narrow while many streams are open, and wide again when they are not', () => {
    const streams = open(wideStreams);
    readMuch();
    streams.push(...open(1));
    expect(set).toEqual([wide, narrow]);
    readMuch();
    expect(set).toEqual([wide, narrow]);
    streams[0]!.emit('close');
    readMuch();
    expect(set).toEqual([wide, narrow, wide]);
  });

  it('wait until the server knows of the last change', () => {
    open(1);
    session.pendingSettingsAck = true;
    readMuch();
    expect(set).toEqual([]);
    session.pendingSettingsAck = false;
    windows.read();
    expect(set).toEqual([wide]);
  });
});
