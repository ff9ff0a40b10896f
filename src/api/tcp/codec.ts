// What a version of LMOF is: how bodies are read and written. The rest of this folder does not know which one it speaks.

import type { LumeoError } from '../error-map.js';
import type { HeldBytes } from '../held-bytes.js';
import type { AnyAnswer, AnyRequest } from './lmof-messages.js';
import type { MessageBody } from './message-body.js';
import type { Action } from './message-types.js';

export interface Codec {
  readonly version: number;
  /** Longest body that a request may have; of an unknown type, how much is read before the next request. */
  bodyBytesMax(action: Action | undefined): number;
  /**
   * Reads a request. The content of an upload may still be on its way then: it is read through `body`.
   * `invalid_argument` says what is wrong with it.
   */
  read(action: Action, requestId: bigint, body: MessageBody, held: HeldBytes): Promise<AnyRequest>;
  /** The messages that answer, each as its parts, to be sent one after the other. What they hold is charged to `held`. */
  answer(requestId: bigint, answer: AnyAnswer, held: HeldBytes): AsyncIterable<readonly Uint8Array[]>;
  /** `action` is undefined for a request of an unknown type, which is answered under its own number. */
  fail(
    requestId: bigint,
    request: { readonly type: number; readonly action: Action | undefined },
    failure: LumeoError,
  ): readonly Uint8Array[];
}
