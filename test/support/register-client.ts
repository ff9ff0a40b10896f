// A client of registers in the metadata, over RPC from outside, which writes down what it asked and what it was told.

import type { HistoryOperation, RegisterOperation, RegisterValue } from '../sim/linearizability.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

export class RegisterClient {
  readonly history: HistoryOperation[] = [];
  readonly #key: string;
  readonly #url: () => string | undefined;

  /** `url` names a server for each call. */
  constructor(key: string, url: () => string | undefined) {
    this.#key = base64(key);
    this.#url = url;
  }

  /** Whether it was answered. */
  async read(): Promise<boolean> {
    return this.#record(async () => {
      const { status, body } = await this.#call('GetKey', { key: this.#key });
      if (status === 404) return { kind: 'read', value: undefined };
      const { item } = body as { item: { value: string } };
      return { kind: 'read', value: Number(Buffer.from(item.value, 'base64')) };
    });
  }

  async write(value: number): Promise<boolean> {
    const operation = { kind: 'write', value } as const;
    return this.#record(async () => {
      await this.#call('CommitTxn', { success: [this.#put(value)] });
      return operation;
    }, operation);
  }

  async compareAndSet(from: RegisterValue, to: number): Promise<boolean> {
    const expected = from === undefined ? { version: '0' } : { value: base64(`${from}`) };
    const compares = [{ key: this.#key, is: 'META_COMPARISON_EQUAL', ...expected }];
    const operation = { kind: 'cas', from, to } as const;
    return this.#record(
      async () => {
        const { body } = await this.#call('CommitTxn', { compares, success: [this.#put(to)] });
        return { ...operation, swapped: (body as { succeeded?: boolean }).succeeded === true };
      },
      { ...operation, swapped: undefined },
    );
  }

  #put(value: number) {
    return { put: { key: this.#key, value: base64(`${value}`) } };
  }

  /** `unknown`: what it was if nobody answered; a read that was not answered says nothing. */
  async #record(run: () => Promise<RegisterOperation>, unknown?: RegisterOperation): Promise<boolean> {
    const called = performance.now();
    try {
      const operation = await run();
      this.history.push({ operation, called, returned: performance.now() });
      return true;
    } catch {
      if (unknown !== undefined) this.history.push({ operation: unknown, called, returned: undefined });
      return false;
    }
  }

  async #call(method: string, request: object): Promise<{ readonly status: number; readonly body: unknown }> {
    const url = this.#url();
    if (url === undefined) throw new Error('no server is there');
    const answer = await fetch(`${url}/cairn.v1.MetaService/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(15_000),
    });
    const body: unknown = await answer.json();
    if (!answer.ok && answer.status !== 404) throw new Error(JSON.stringify(body));
    return { status: answer.status, body };
  }
}
