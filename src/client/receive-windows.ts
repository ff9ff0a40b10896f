// How much a server may send ahead on the streams of one session. Windows start small, so that many answers that nobody reads
// yet hold little; they widen when something reads much, and as long as few streams are open: all of them together then hold
// no more than the session's own window. Node sets the windows of all streams of a session at once.

import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { limits } from '../base/limits.js';

type Session = Pick<ClientHttp2Session, 'destroyed' | 'pendingSettingsAck' | 'settings'>;
type Stream = Pick<ClientHttp2Stream, 'once'>;

const wideStreamsMax = Math.floor(limits.clientSessionWindowBytes / limits.clientStreamWindowBytes);

export class ReceiveWindows {
  readonly #session: Session;
  #openCount = 0;
  #readCount = 0;
  #isWide = false;

  constructor(session: Session) {
    this.#session = session;
  }

  opened(stream: Stream): void {
    this.#openCount++;
    stream.once('close', () => {
      this.#openCount--;
    });
    if (this.#isWide && this.#openCount > wideStreamsMax) this.#set(false);
  }

  /** A piece that came has been read: at most 16 KiB, as Node hands them out. */
  read(): void {
    this.#readCount++;
    const isEarned = this.#readCount >= limits.clientEarnedReadsCountMin;
    if (isEarned && !this.#isWide && this.#openCount <= wideStreamsMax) this.#set(true);
  }

  #set(isWide: boolean): void {
    if (this.#session.destroyed || this.#session.pendingSettingsAck) return;
    this.#isWide = isWide;
    this.#readCount = 0;
    this.#session.settings({
      initialWindowSize: isWide ? limits.clientStreamWindowBytes : limits.clientFirstStreamWindowBytes,
    });
  }
}
