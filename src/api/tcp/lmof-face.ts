// LMOF as a face of the server: a connection in, and every call of it on the record.

import type { Socket } from 'node:net';
import type { ByteBudget } from '../../base/byte-budget.js';
import { connectionOf } from '../auth/connection.js';
import type { CallObserver } from '../call-log.js';
import { isServerFault } from '../error-map.js';
import type { Logger } from '../logger.js';
import { LmofConnection } from './lmof-connection.js';
import { type LmofSessionParts, lmofSession } from './lmof-session.js';

export interface LmofFaceParts extends LmofSessionParts {
  /** Bytes that all requests may hold. */
  readonly budget: ByteBudget;
  readonly logger: Logger;
  nextCallId(): string;
  readonly onCall: CallObserver;
}

/** Takes sockets whose first bytes say LMOF; whoever calls runs the connection. */
export function lmofFace(parts: LmofFaceParts): (socket: Socket) => LmofConnection {
  const { clock, budget, logger, nextCallId, onCall } = parts;
  return (socket) => {
    const connection = connectionOf(socket, socket);
    const session = lmofSession(parts, connection);
    return new LmofConnection(socket, {
      clock,
      budget,
      session,
      onCall({ fault, method, code, ...call }) {
        const id = nextCallId();
        if (code !== 'ok' && isServerFault(code)) {
          logger.error({ err: fault, code, method: `LMOF ${method}`, call: id }, 'call failed');
        }
        onCall({ ...call, id, peer: connection.peer, account: session.account, protocol: 'lmof', method, code });
      },
    });
  };
}
