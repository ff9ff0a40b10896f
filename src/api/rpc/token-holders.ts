// Which caller a transport token was given to, so that whoever presents the token alone moves blobs with that caller's
// rights, for as long as the caller itself has them. It goes with the token: to the session that redeems it, or away.

import { limits } from '../../base/limits.js';
import type { Caller } from '../auth/credentials.js';

export class TokenHolders {
  /** Of tokens that no session owns yet; the oldest first. */
  readonly #issued = new Map<string, Caller>();
  readonly #owned = new WeakMap<object, Map<string, Caller>>();

  /** Notes whose token it is. Callers without credentials are not worth it. */
  hold(token: string, caller: Caller): void {
    if (caller.authorization === undefined && caller.certificateName === undefined) return;
    if (this.#issued.size >= limits.tokenHoldersCountMax) {
      const [oldest] = this.#issued.keys();
      this.#issued.delete(oldest!);
    }
    this.#issued.set(token, caller);
  }

  /** Of a token that was redeemed just now, or is the session's own. */
  holder(text: string, session: object | undefined): Caller | undefined {
    const token = text.toLowerCase();
    const owned = session && this.#owned.get(session);
    const caller = owned?.get(token) ?? this.#issued.get(token);
    if (caller === undefined || !this.#issued.delete(token)) return caller;
    // As many as a session may own tokens.
    if (session !== undefined) this.#owned.set(session, (owned ?? new Map<string, Caller>()).set(token, caller));
    return caller;
  }
}
