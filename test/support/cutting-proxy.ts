// A TCP proxy before a server that cuts its connections after so many bytes towards the client, or when told to.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly url: string;
  /** Connections taken so far. */
  readonly connectionCount: number;
  /** Bytes passed on to the server so far. */
  readonly bytesToServer: number;
  /** Bytes towards the client after which each new connection is cut; Infinity at first. */
  cutAfterBytes: number;
  /** Bytes towards the client after which a new connection passes nothing more on, but stays; Infinity at first. */
  stallAfterBytes: number;
  /** While set, connections are taken and cut at once. */
  refuses: boolean;
  cutAll(): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(targetUrl: string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const target = new URL(targetUrl);
  const server = createServer((client) => {
    proxy.connectionCount++;
    if (proxy.refuses) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    let left = proxy.cutAfterBytes;
    let untilStall = proxy.stallAfterBytes;
    client.on('data', (bytes) => {
      proxy.bytesToServer += bytes.length;
    });
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      left -= bytes.length;
      untilStall -= bytes.length;
      if (left < 0) cut();
      else if (untilStall < 0) upstream.pause();
      else if (!client.write(bytes)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectionCount: 0,
    bytesToServer: 0,
    cutAfterBytes: Number.POSITIVE_INFINITY,
    stallAfterBytes: Number.POSITIVE_INFINITY,
    refuses: false,
    cutAll,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        cutAll();
      }),
  };
  return proxy;
}
