// A real browser without a window, and the server of a page for it.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** The program, where it is installed. */
export const browserProgram: string | undefined = ['chromium-headless-shell', 'chromium'].find(
  (name) => spawnSync(name, ['--version']).error === undefined,
);

export interface Page {
  readonly origin: string;
  /** Resolves with what the page sends to `/report`. */
  readonly report: Promise<string>;
  close(): void;
}

/** Serves a page that is nothing but this module of test/support, and files for it to fetch, by path. */
export async function servePage(
  module: string,
  files: Readonly<Record<string, () => string | Uint8Array>>,
): Promise<Page> {
  const script = await bundled(fileURLToPath(new URL(module, import.meta.url)));
  const answers: typeof files = {
    '/': () => '<!doctype html><meta charset="utf-8"><script type="module" src="/script.js"></script>',
    '/script.js': () => script,
    ...files,
  };
  let told: (report: string) => void = () => {};
  const report = new Promise<string>((resolve) => {
    told = resolve;
  });
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    if (path === '/report') told(await textOf(request));
    const answer = answers[path];
    const type = path === '/script.js' ? 'text/javascript' : path === '/' ? 'text/html' : 'application/octet-stream';
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': type }).end(answer?.());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, report, close: () => server.close() };
}

/** Opens a page, waits for that, and ends the browser. Fails when the browser ends before. */
export async function whileOpen<T>(program: string, url: string, done: Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), 'cairn-browser-'));
  // Without its sandbox, since tests may run as root: it sees pages of our own alone.
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
  ];
  // In a process group of its own: the program may be a script, and it makes more processes.
  const browser = spawn(program, [...flags, url], { stdio: 'ignore', detached: true });
  const exited = once(browser, 'exit');
  const end = () => endGroup(browser.pid);
  // Also when the test was given up.
  process.once('exit', end);
  try {
    return await Promise.race([
      done,
      exited.then(() => {
        throw new Error('the browser has ended');
      }),
    ]);
  } finally {
    end();
    process.off('exit', end);
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function bundled(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, target: 'esnext', minify: false, rollupOptions: { input: entry } },
  });
  const { output } = (Array.isArray(result) ? result[0] : result) as { output: { code: string }[] };
  return output[0]!.code;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
