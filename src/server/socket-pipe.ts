// Passes accepted connections from the thread that listens to a thread that serves them. Node moves no socket between threads,
// but it does between processes, for its cluster: over a local socket of a kind of its own, which may as well have both its
// ends in one process. Node documents none of it, so all of it is here. The sender keeps its descriptor of a connection until the
// receiver says that it has one, since not every system keeps what is under way.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, CairnError } from '../base/errors.js';

/** Node's own end of a local socket. Calls answer 0, or an error of the system. */
interface PipeHandle {
  /** Of what was read just now, the connection that came along. */
  pendingHandle?: object | null;
  onread: () => void;
  open(fd: number): number;
  connect(request: object, path: string): number;
  readStart(): number;
  writeUtf8String(request: object, text: string, sent?: object): number;
  unref(): void;
}

interface Bindings {
  readonly newPipe: () => PipeHandle;
  readonly newConnectRequest: (done: (status: number) => void) => object;
  readonly newWriteRequest: () => object;
  /** How many bytes were read just now; below 0: none will be. */
  readonly bytesRead: () => number;
}

/** Undefined where this Node has none of it, or does not let us. */
function loadBindings(): Bindings | undefined {
  const { binding } = process as unknown as { binding?(name: string): Record<string, never> };
  type Make = new (kind?: number) => object;
  try {
    const { Pipe, PipeConnectWrap, constants } = binding!('pipe_wrap') as Record<string, unknown>;
    const { WriteWrap, streamBaseState, kReadBytesOrError } = binding!('stream_wrap') as Record<string, unknown>;
    const { IPC } = constants as { readonly IPC: number };
    const state = streamBaseState as Int32Array;
    assert(state instanceof Int32Array && typeof WriteWrap === 'function', 'Node has what its cluster needs');
    return {
      newPipe: () => new (Pipe as Make)(IPC) as PipeHandle,
      newConnectRequest: (done) => Object.assign(new (PipeConnectWrap as Make)(), { oncomplete: done }),
      newWriteRequest: () => Object.assign(new (WriteWrap as Make)(), { oncomplete: () => {} }),
      bytesRead: () => state[kReadBytesOrError as number]!,
    };
  } catch {
    return undefined;
  }
}

let loaded: Bindings | undefined | 'not loaded' = 'not loaded';

export function canPassSockets(): boolean {
  if (loaded === 'not loaded') loaded = loadBindings();
  return loaded !== undefined;
}

/** `unimplemented` where connections cannot be passed on. */
function bindings(): Bindings {
  if (!canPassSockets() || loaded === undefined || loaded === 'not loaded') {
    throw new CairnError('unimplemented', 'this Node cannot pass connections to other threads: say --workers 0');
  }
  return loaded;
}

export interface SocketPipe {
  /** What the receiver is told. */
  readonly path: string;
  /** Resolves when the receiver is there. */
  readonly sender: Promise<SocketSender>;
  /** Nobody can connect any more. */
  close(): Promise<void>;
}

/** A way for connections to one other thread. */
export async function openSocketPipe(): Promise<SocketPipe> {
  bindings();
  // Nobody else may enter it.
  const directory = await mkdtemp(join(tmpdir(), 'cairn-'));
  const path = join(directory, 'sockets');
  const server = createServer({ pauseOnConnect: true });
  const sender = new Promise<SocketSender>((resolve) => {
    server.once('connection', (socket) => resolve(new SocketSender(socket)));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    path,
    sender,
    async close() {
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export class SocketSender {
  /** Accepted the descriptor that the pipe uses. It would close it if it were closed, or forgotten. */
  readonly #accepted: Socket;
  readonly #pipe: PipeHandle;
  /** Sent, and not known to have been received, the earliest first. */
  readonly #underWay: Socket[] = [];

  constructor(accepted: Socket) {
    const { newPipe, bytesRead } = bindings();
    this.#accepted = accepted;
    this.#pipe = newPipe();
    this.#pipe.open(handleOf(accepted).fd);
    this.#pipe.onread = () => {
      // A byte for each. Where the receiver has ended, so does the process.
      for (let left = bytesRead(); left > 0; left--) this.#underWay.shift()?.destroy();
    };
    this.#pipe.readStart();
  }

  /** Takes over a connection of which nothing was read, for the receiver, with a number below 128. Whether it could. */
  send(socket: Socket, note: number): boolean {
    // What it is closed by meanwhile the receiver learns.
    socket.on('error', () => {});
    const error = this.#pipe.writeUtf8String(bindings().newWriteRequest(), String.fromCharCode(note), handleOf(socket));
    if (error === 0) this.#underWay.push(socket);
    else socket.destroy();
    return error === 0;
  }

  /** The process need not go on for it. */
  unref(): void {
    this.#accepted.unref();
    this.#pipe.unref();
  }
}

/**
 * Resolves when the pipe stands; from then on calls back with each connection and its number, and without the connection where
 * that was lost, as when the process has no descriptor left for it. `unavailable` where there is nobody at the path.
 */
export function receiveSockets(
  path: string,
  receive: (socket: Socket | undefined, note: number) => void,
): Promise<void> {
  const { newPipe, newConnectRequest, newWriteRequest, bytesRead } = bindings();
  const pipe = newPipe();
  // The number is in what was read.
  pipe.onread = (buffer?: ArrayBuffer) => {
    const handle = pipe.pendingHandle ?? undefined;
    pipe.pendingHandle = null;
    if (bytesRead() <= 0) return;
    // The system never delivers what carries a descriptor together with what comes behind.
    assert(bytesRead() === 1 && buffer !== undefined, 'connections come one at a time');
    pipe.writeUtf8String(newWriteRequest(), '.');
    receive(handle && new Socket({ handle, allowHalfOpen: true } as SocketConstructorOpts), new Uint8Array(buffer)[0]!);
  };
  return new Promise((resolve, reject) => {
    const request = newConnectRequest((status) => {
      if (status === 0) {
        pipe.readStart();
        resolve();
      } else {
        reject(new CairnError('unavailable', `nobody hands out connections at ${path}`));
      }
    });
    pipe.connect(request, path);
  });
}

/** What Node keeps of a socket under no public name. */
function handleOf(socket: Socket): { readonly fd: number } {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
}
