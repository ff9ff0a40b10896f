// A real server over a data directory of its own, for tests of the file API. Every answer in JSON is held against the
// server's own OpenAPI document.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type ServerConfig, serverConfig } from '../../src/server/config.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { type Answered, type Asked, ask, type HttpVersion } from './http-client.js';
import { answerChecker, type CheckAnswer, type OpenApi } from './openapi.js';

export interface JsonBody {
  readonly code: number;
  readonly message: string;
  readonly error?: string;
  readonly data?: JsonObject;
  readonly details?: JsonObject;
}

/** What tests look into without knowing its shape. */
export type JsonObject = { readonly [name: string]: JsonObject } & { readonly [index: number]: JsonObject };

export interface CallOptions extends Omit<Asked, 'method'> {
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly version?: HttpVersion;
}

export class FileServer {
  readonly #directory: string;
  readonly #settings: Partial<ServerConfig>;
  #server: RunningServer | undefined;
  #check: CheckAnswer | undefined;

  private constructor(directory: string, settings: Partial<ServerConfig>) {
    this.#directory = directory;
    this.#settings = settings;
  }

  static async start(settings: Partial<ServerConfig> = {}): Promise<FileServer> {
    const server = new FileServer(await mkdtemp(join(tmpdir(), 'cairn-files-')), settings);
    await server.restart();
    return server;
  }

  get url(): string {
    return this.#server!.listeners[0]!.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async restart(settings: Partial<ServerConfig> = {}): Promise<void> {
    await this.#server?.close();
    this.#server = await startServer(
      serverConfig({
        listen: [{ face: 'all', host: '127.0.0.1', port: 0 }],
        data: join(this.#directory, 'data'),
        durability: 'memory',
        logLevel: 'silent',
        drainMilliseconds: 0,
        ...this.#settings,
        ...settings,
      }),
    );
    const { body } = await ask('h1', `${this.url}/api/v1/openapi.json`);
    this.#check = answerChecker(JSON.parse(body.toString()) as OpenApi);
  }

  async close(): Promise<void> {
    await this.#server?.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Any answer, as it is. */
  ask(method: string, path: string, { json, version = 'h1', ...asked }: CallOptions = {}): Promise<Answered> {
    const headers = { ...(json !== undefined && { 'content-type': 'application/json' }), ...asked.headers };
    const body = json === undefined ? asked.body : Buffer.from(JSON.stringify(json));
    return ask(version, this.url + path, { method, headers, body });
  }

  /** An answer in JSON, which has the shape that the server describes. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<{ status: number } & JsonBody> {
    const { status, body } = await this.ask(method, path, options);
    const parsed = JSON.parse(body.toString()) as JsonBody;
    expect(this.#check!(method, path, status, parsed), `${method} ${path}: ${body}`).toBe('');
    return { status, ...parsed };
  }
}
