// One finished call, told to whoever counts or logs calls: the same record however the call was served.

import type { CallState } from './call-state.js';
import type { CallRecord, RpcParts } from './rpc-parts.js';

/** Call it when the answer is closed; `answered` tells whether it had been given in full. */
export type RecordCall = (answered: boolean, bytesIn: number, bytesOut: number) => void;

/** The call's time begins now. */
export function callRecorder(
  parts: Pick<RpcParts, 'clock' | 'onCall'>,
  call: CallState,
  { peer, protocol }: Pick<CallRecord, 'peer' | 'protocol'>,
): RecordCall {
  const started = parts.clock.monotonic();
  return (answered, bytesIn, bytesOut) => {
    const code = call.code ?? (answered ? 'unknown' : 'canceled');
    const milliseconds = parts.clock.monotonic() - started;
    const { id, account, method } = call;
    parts.onCall({ id, peer, account, protocol, method, code, bytesIn, bytesOut, milliseconds });
  };
}
