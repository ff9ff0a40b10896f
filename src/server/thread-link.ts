// Two threads that ask each other questions over a message port, many at a time, answered in any order. What is sent is plain
// data; a question may be canceled, and an error arrives with its code. A view of a larger buffer is to be copied before it
// is sent: a message carries all of the buffer behind it. What is said in one turn of the event loop goes as one message, since
// each of them costs both threads more than most of what is said.

import type { MessagePort, Transferable } from 'node:worker_threads';
import { CairnError, type ErrorCode, type ErrorSubject, errorCode } from '../base/errors.js';

/** Answers questions by their names. `signal` aborts when the other side wants no answer any more. */
export type Handlers = Readonly<Record<string, (question: never, signal: AbortSignal) => unknown>>;

export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly subject: ErrorSubject | undefined;
}

type Message =
  | { readonly kind: 'ask'; readonly id: number; readonly name: string; readonly question: unknown }
  | { readonly kind: 'tell'; readonly name: string; readonly news: unknown }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: PlainError };

interface Pending {
  resolve(answer: never): void;
  reject(error: unknown): void;
}

interface Port extends Pick<MessagePort, 'postMessage'> {
  on(event: 'message', listener: (messages: readonly Message[]) => void): unknown;
}

export class ThreadLink {
  readonly #port: Port;
  readonly #handlers: Handlers;
  readonly #pending = new Map<number, Pending>();
  readonly #answering = new Map<number, AbortController>();
  /** To be sent at the end of this turn, with what moves over to the other thread. */
  #outbox: Message[] = [];
  #transfer: Transferable[] = [];
  #nextId = 0;
  #ended: CairnError | undefined;

  /** `port` may be a worker, or a worker's way to its parent. */
  constructor(port: Port, handlers: Handlers) {
    this.#port = port;
    this.#handlers = handlers;
    port.on('message', (messages) => {
      for (const message of messages) this.#receive(message);
    });
  }

  /** Fails as the other side failed; the signal tells it that no answer is wanted any more. `unavailable` when the other side has ended. */
  ask<Answer>(name: string, question: unknown, signal?: AbortSignal, transfer?: Transferable[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      const id = this.#nextId++;
      const cancel = () => this.#send({ kind: 'cancel', id });
      const settle = <T>(then: (value: T) => void) => {
        return (value: T) => {
          signal?.removeEventListener('abort', cancel);
          then(value);
        };
      };
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#send({ kind: 'ask', id, name, question }, transfer);
      signal?.addEventListener('abort', cancel);
      if (signal?.aborted) cancel();
    });
  }

  /** Says something that wants no answer. In order with all other messages. */
  tell(name: string, news: unknown): void {
    if (this.#ended === undefined) this.#send({ kind: 'tell', name, news });
  }

  /** The other side is gone: nobody waits for it any longer. */
  end(): void {
    this.#ended ??= new CairnError('unavailable', 'the other thread has ended');
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }

  #send(message: Message, transfer: readonly Transferable[] = []): void {
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(message);
    this.#transfer.push(...transfer);
  }

  #flush(): void {
    const messages = this.#outbox;
    const transfer = this.#transfer;
    this.#outbox = [];
    this.#transfer = [];
    this.#port.postMessage(messages, transfer);
  }

  #receive(message: Message): void {
    switch (message.kind) {
      case 'ask':
        void this.#answer(message.id, message.name, message.question);
        return;
      case 'tell':
        this.#handlers[message.name]!(message.news as never, neverAborted);
        return;
      case 'cancel':
        this.#answering.get(message.id)?.abort();
        return;
      case 'answer':
        this.#settle(message.id)?.resolve(message.answer as never);
        return;
      case 'failure': {
        const { code, message: text, subject } = message.error;
        this.#settle(message.id)?.reject(new CairnError(code, text, { subject }));
      }
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  async #answer(id: number, name: string, question: unknown): Promise<void> {
    const abort = new AbortController();
    this.#answering.set(id, abort);
    try {
      const answer = await this.#handlers[name]!(question as never, abort.signal);
      this.#send({ kind: 'answer', id, answer });
    } catch (error) {
      this.#send({ kind: 'failure', id, error: toPlainError(error) });
    } finally {
      this.#answering.delete(id);
    }
  }
}

const neverAborted = new AbortController().signal;

export function toPlainError(error: unknown): PlainError {
  const subject = error instanceof CairnError ? error.subject : undefined;
  return { code: errorCode(error), message: error instanceof Error ? error.message : String(error), subject };
}
