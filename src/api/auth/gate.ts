// The one place that decides who may do what. A face asks before it reads anything of a request's body, and learns whom
// the call is made by. Without accounts the gate stands open.

import type { Authenticator } from './authenticator.js';
import type { Caller } from './credentials.js';
import { authorize, everybody, type Need, nobody, type Principal } from './principal.js';

export interface Gate {
  /**
   * Answers at once where it can. `unauthenticated` for credentials that are missing or not good, `permission_denied` for
   * an operation that is not theirs, `overloaded` after too many failed logins.
   */
  admit(caller: Caller, need: Need): Principal | Promise<Principal>;
}

/** Of a server that keeps no accounts. */
export const openGate: Gate = { admit: () => everybody };

export interface GateParts {
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  /** Whether there are accounts, now. */
  readonly isClosed: () => boolean;
}

export function createGate({ authenticator, isClosed }: GateParts): Gate {
  return {
    admit(caller, need) {
      if (!isClosed()) return everybody;
      if (need === 'public') return nobody;
      const principal = authenticator.authenticate(caller);
      if (!(principal instanceof Promise)) return admitted(principal, need);
      return principal.then((found) => admitted(found, need));
    },
  };
}

function admitted(principal: Principal, need: Need): Principal {
  authorize(principal, need);
  return principal;
}
