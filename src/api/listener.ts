// Accepts connections at an address, for a port of its own thread or of others.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { limits } from '../base/limits.js';

export interface Listener {
  /** Rejects with the system's error for an address that cannot be had. */
  listen(at: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  readonly isListening: boolean;
  /** Accepts nothing more. Resolves when every connection that it has accepted is closed here. */
  close(): Promise<void>;
}

/** With `isForOthers`, nothing is read from what is accepted. */
export function createListener(accept: (socket: Socket) => void, isForOthers = false): Listener {
  const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: isForOthers };
  const server = createServer(options, accept);
  server.maxConnections = limits.connectionsCountMax;
  let isListening = false;
  return {
    listen(at) {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(at, () => {
          server.off('error', reject);
          isListening = true;
          resolve({ port: (server.address() as AddressInfo).port });
        });
      });
    },
    get isListening() {
      return isListening;
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => {
          isListening = false;
          resolve();
        });
      });
    },
  };
}
