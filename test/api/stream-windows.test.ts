import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StreamWindows } from '../../src/api/stream-windows.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { limits } from '../../src/base/limits.js';

const extra = limits.wideStreamWindowBytes - limits.streamWindowBytes;

let server: Http2Server;
let client: ClientHttp2Session;
let windows: StreamWindows;
let budget: ByteBudget;
let opened: ServerHttp2Stream[];

async function start(budgetBytes: number): Promise<void> {
  budget = new ByteBudget(budgetBytes);
  windows = new StreamWindows(budget);
  server.listen(0);
  client = connect(`http://localhost:${(server.address() as AddressInfo).port}`);
  await once(client, 'remoteSettings');
}

async function openStream(): Promise<ClientHttp2Stream> {
  const before = opened.length;
  const stream = client.request({ ':method': 'POST' });
  stream.on('error', () => {});
  stream.write('x');
  await vi.waitFor(() => expect(opened.length).toBe(before + 1));
  return stream;
}

beforeEach(() => {
  opened = [];
  server = createServer({ settings: { initialWindowSize: limits.streamWindowBytes } });
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    opened.push(stream);
    windows.opened(stream);
  });
});
afterEach(() => {
  client.destroy();
  server.close();
});

const windowOf = () => client.remoteSettings.initialWindowSize;
const moved = (stream: ServerHttp2Stream) => windows.moved(stream, limits.earnedWindowBytes);

describe('StreamWindows', () => {
  it('widen when a stream has earned it, and charge every open stream until it closes', async () => {
    await start(10 * extra);
    const first = await openStream();
    await openStream();
    windows.moved(opened[0]!, limits.earnedWindowBytes - 1);
    expect(budget.takenBytes).toBe(0);
    await vi.waitFor(() => {
      moved(opened[0]!);
      expect(windowOf()).toBe(limits.wideStreamWindowBytes);
    });
    expect(budget.takenBytes).toBe(2 * extra);
    await openStream();
    expect(budget.takenBytes).toBe(3 * extra);
    first.destroy();
    await vi.waitFor(() => expect(budget.takenBytes).toBe(2 * extra));
    client.destroy();
    await vi.waitFor(() => expect(budget.takenBytes).toBe(0));
  });

  it('stay narrow when the budget has no room for all open streams', async () => {
    await start(extra);
    await openStream();
    await openStream();
    await new Promise((resolve) => client.ping(resolve));
    moved(opened[0]!);
    expect(budget.takenBytes).toBe(0);
    expect(windowOf()).toBe(limits.streamWindowBytes);
  });

  it('narrow again when a stream opens for which the budget has no room', async () => {
    await start(extra);
    await openStream();
    await vi.waitFor(() => {
      moved(opened[0]!);
      expect(windowOf()).toBe(limits.wideStreamWindowBytes);
    });
    await openStream();
    await vi.waitFor(() => expect(windowOf()).toBe(limits.streamWindowBytes));
    expect(budget.takenBytes).toBe(extra);
  });
});
