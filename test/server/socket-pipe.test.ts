// Both ends of a pipe in one thread: what comes over it cannot tell.

import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '../../src/api/listener.js';
import { openSocketPipe, receiveSockets } from '../../src/server/socket-pipe.js';

let listener: Listener | undefined;
const clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  if (listener?.isListening) await listener.close();
});

/** A listener whose connections go over a pipe; answers how to connect to it. */
async function passOn(receive: (socket: Socket, note: number) => void): Promise<() => Socket> {
  const pipe = await openSocketPipe();
  const receiving = receiveSockets(pipe.path, (socket, note) => socket && receive(socket, note));
  const [sender] = await Promise.all([pipe.sender, receiving]);
  await pipe.close();
  sender.unref();
  let note = 0;
  listener = createListener((socket) => void sender.send(socket, note++), true);
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  return () => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    clients.push(client);
    return client;
  };
}

describe('a socket pipe', () => {
  it('passes on connections with all that was sent over them, and with their ends', async () => {
    const seen: { note: number; port: number | undefined }[] = [];
    const open = await passOn((socket, note) => {
      seen.push({ note, port: socket.remotePort });
      socket.on('data', (piece: Buffer) => socket.write(piece.toString().toUpperCase()));
      socket.on('end', () => socket.end(' and out'));
    });
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const client = open();
        client.write(`over ${index}`);
        await once(client, 'readable');
        client.end();
        let text = '';
        for await (const piece of client) text += piece;
        return { text, port: client.localPort };
      }),
    );
    expect(answers.map(({ text }) => text)).toEqual(answers.map((_, index) => `OVER ${index} and out`));
    expect(seen.map(({ note }) => note)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('leaves a connection to its receiver alone, so that it ends when the receiver destroys it', async () => {
    const open = await passOn((socket) => {
      socket.on('data', () => socket.destroy());
    });
    const client = open();
    client.write('that is all');
    await once(client.resume(), 'end');
    // Waits for every connection that it has not let go of.
    await listener?.close();
  });

  it('leaves no files, and is unavailable where nobody hands out connections', async () => {
    const pipe = await openSocketPipe();
    const path = pipe.path;
    await pipe.close();
    expect(await readdir(tmpdir())).not.toContain(basename(dirname(path)));
    await expect(receiveSockets(path, () => {})).rejects.toMatchObject({ code: 'unavailable' });
  });
});
