// Whether a call that failed can have been received by anybody: only then is it safe to make again what may not happen twice.

/** How deep libraries wrap the system's errors. */
const causesMax = 8;

/** True when the connection was refused, or the name was not found: so says the error, or what caused it. */
export function wasNeverSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < causesMax; at = at.cause, depth++) {
    if ('code' in at && (at.code === 'ECONNREFUSED' || at.code === 'ENOTFOUND')) return true;
  }
  return false;
}
