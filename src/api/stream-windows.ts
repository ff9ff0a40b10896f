// How much a peer may send ahead on its HTTP/2 streams. Only stream windows bound what a peer can make us hold: Node gives
// the session's window back on receipt, and a stream's when its bytes are read. Windows start at `streamWindowBytes` and
// widen to `wideStreamWindowBytes` once a stream of the session has moved so much that it is worth it, and the budget
// grants the difference for every stream the session has open; streams that are opened later are charged as they come.
// What Node 20 can do about windows: a session's own window, `setLocalWindowSize`; all stream windows of a session at once,
// by a SETTINGS frame (RFC 9113 section 6.9.2), which holds from the peer's acknowledgement on; and withholding a stream's
// window by not reading it. It can not set one stream's window. So a session is wide or narrow as a whole, a narrowed one
// keeps its charge until the streams that were wide have closed, and streams opened before the peer has acknowledged a
// narrowing may still send ahead what they were told first.

import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { ByteBudget } from '../base/byte-budget.js';
import { limits } from '../base/limits.js';

const extraBytes = limits.wideStreamWindowBytes - limits.streamWindowBytes;

interface SessionState {
  readonly open: Set<ServerHttp2Stream>;
  /** Those of the open streams that the budget was charged for. */
  readonly charged: Set<ServerHttp2Stream>;
  isWide: boolean;
}

export class StreamWindows {
  readonly #budget: ByteBudget;
  readonly #sessions = new WeakMap<ServerHttp2Session, SessionState>();

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** To be told of every stream as it opens. */
  opened(stream: ServerHttp2Stream): void {
    const session = stream.session as ServerHttp2Session | undefined;
    if (session === undefined) return;
    const state = this.#stateOf(session);
    state.open.add(stream);
    if (state.isWide && !this.#charge(state, stream)) this.#set(session, state, false);
    stream.on('close', () => {
      state.open.delete(stream);
      if (state.charged.delete(stream)) this.#budget.give(extraBytes);
    });
  }

  /** To be told, now and then, how many bytes of a stream have been read so far. */
  moved(stream: ServerHttp2Stream, bytes: number): void {
    if (bytes < limits.earnedWindowBytes) return;
    const session = stream.session as ServerHttp2Session | undefined;
    const state = session && this.#sessions.get(session);
    if (state === undefined || state.isWide || session!.destroyed || session!.pendingSettingsAck) return;
    const uncharged = [...state.open].filter((each) => !state.charged.has(each));
    if (!this.#budget.take(extraBytes * uncharged.length, limits.unprovenBudgetBytes)) return;
    for (const each of uncharged) state.charged.add(each);
    this.#set(session!, state, true);
  }

  #stateOf(session: ServerHttp2Session): SessionState {
    let state = this.#sessions.get(session);
    if (state === undefined) {
      state = { open: new Set(), charged: new Set(), isWide: false };
      this.#sessions.set(session, state);
    }
    return state;
  }

  #charge(state: SessionState, stream: ServerHttp2Stream): boolean {
    if (!this.#budget.take(extraBytes, limits.unprovenBudgetBytes)) return false;
    state.charged.add(stream);
    return true;
  }

  #set(session: ServerHttp2Session, state: SessionState, isWide: boolean): void {
    if (session.destroyed) return;
    state.isWide = isWide;
    session.settings({ initialWindowSize: isWide ? limits.wideStreamWindowBytes : limits.streamWindowBytes });
  }
}
