// What the thread that owns the store and the metadata gives to workers, and what it answers them.

import type { Caller } from '../api/auth/credentials.js';
import type { Gate } from '../api/auth/gate.js';
import type { Need } from '../api/auth/principal.js';
import type { Admission } from '../api/rpc/rpc-parts.js';
import type { LocalStore } from '../cas/local-store.js';
import type { SharedChange, SharedParts, StoreOwner } from '../cas/store-owner.js';
import type { Maintenance } from '../cluster/maintenance.js';
import { storeHandlers } from './store-link.js';
import type { Handlers } from './thread-link.js';

/** Numbers that every thread reads, each in memory of its own. */
export interface SharedNumbers {
  /** Taken of the byte budget, which is one for all threads. */
  readonly budgetBytes: Int32Array;
  /** Held by messages of RPCs, likewise. */
  readonly messageBytes: Int32Array;
  /** 1 from the first account on: then somebody has to be asked about every call. */
  readonly accountsExist: Int32Array;
}

export function newSharedNumbers(): SharedNumbers {
  const number = () => new Int32Array(new SharedArrayBuffer(4));
  return { budgetBytes: number(), messageBytes: number(), accountsExist: number() };
}

export interface Sharing {
  readonly store: LocalStore;
  readonly numbers: SharedNumbers;
  readonly maintenance: Pick<Maintenance, 'refuseWrites'>;
  readonly gate: Gate;
  readonly admit: Admission;
}

/** A call as the worker that received it describes it. */
export interface AskedAdmission {
  readonly method: string;
  /** The headers that may hold tokens. */
  readonly headers: Readonly<Record<string, string>>;
  readonly caller: Caller;
  /** Of the worker's own making, the same for all calls of an HTTP/2 session. */
  readonly session: number | undefined;
}

export interface SharedWithWorker {
  readonly parts: SharedParts;
  readonly handlers: Handlers;
}

/** For one worker. */
export function shareWith(sharing: Sharing, onChange: (change: SharedChange) => void): SharedWithWorker {
  const { parts, owner } = sharing.store.share(onChange);
  /** Stand for the worker's HTTP/2 sessions, to which tokens belong. */
  const sessions = new Map<number, object>();
  const sessionOf = (id: number) => {
    const session = sessions.get(id) ?? {};
    sessions.set(id, session);
    return session;
  };
  return {
    parts,
    handlers: {
      ...storeHandlers(inMaintenance(owner, sharing.maintenance)),
      admit: ({ method, headers, caller, session }: AskedAdmission) =>
        sharing.admit(
          method,
          { get: (name) => headers[name] ?? null },
          caller,
          session === undefined ? undefined : sessionOf(session),
        ),
      pass: ({ caller, need }: { caller: Caller; need: Need }) => sharing.gate.admit(caller, need),
      sessionEnded: (id: number) => void sessions.delete(id),
    },
  };
}

/** Takes no new blobs in maintenance, as for every other face. */
function inMaintenance(owner: StoreOwner, maintenance: Sharing['maintenance']): StoreOwner {
  return {
    ...owner,
    async commitLarge(...blob) {
      maintenance.refuseWrites();
      return owner.commitLarge(...blob);
    },
    async commitMany(...blobs) {
      maintenance.refuseWrites();
      return owner.commitMany(...blobs);
    },
  };
}
