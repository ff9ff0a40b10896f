// A server on a free loopback port over a store in memory that counts its open handles, for tests of the faces.

import type { BlobHandle, BlobSource, BlobStore, WriteOptions, WriteResult } from '../../src/base/blob-store.js';
import type { BlobHash } from '../../src/base/digest.js';
import type { ByteRange } from '../../src/base/range.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { type ServerConfig, serverConfig } from '../../src/server/config.js';
import { type RunningServer, startServer } from '../../src/server/server.js';

/** Counts what is open. A read can be slowed down, or made to fail. */
export class WatchedStore extends MemoryStore {
  openHandles = 0;
  writesBegun = 0;
  /** Reads that were under way when their handle was closed. */
  misuses = 0;
  /** Called with each read that is asked for. */
  onRead: (range: ByteRange) => void = () => {};
  /** Called before each read. */
  beforeRead: () => Promise<void> | void = () => {};

  override write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    this.writesBegun++;
    return super.write(source, options);
  }

  override async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await super.open(hash);
    if (handle === undefined) return undefined;
    this.openHandles++;
    let open = true;
    return {
      digest: handle.digest,
      localPath: handle.localPath,
      read: async (range) => {
        this.onRead(range);
        await this.beforeRead();
        if (!open) this.misuses++;
        return handle.read(range);
      },
      close: async () => {
        if (open) this.openHandles--;
        open = false;
        await handle.close();
      },
    };
  }
}

export interface Served {
  readonly server: RunningServer;
  readonly url: string;
  readonly port: number;
}

/** On port 0 of 127.0.0.1, silent, over the given store. */
export async function serve(store: BlobStore, settings: Partial<ServerConfig> = {}): Promise<Served> {
  const listen = [{ face: 'all' as const, host: '127.0.0.1', port: 0 }];
  const server = await startServer(
    serverConfig({ listen, logLevel: 'silent', drainMilliseconds: 0, store, ...settings }),
  );
  const url = server.listeners[0]!.url;
  return { server, url, port: Number(new URL(url).port) };
}
