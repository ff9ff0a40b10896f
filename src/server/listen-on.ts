// Opens a port at a configured address, or on a socket that another thread listens on already.

import type { Port } from '../api/port.js';
import { CairnError } from '../base/errors.js';
import type { ListenAddress } from './config.js';

/** `unavailable` for an address that cannot be had. */
export async function listenOn(
  port: Port,
  { host, port: wanted }: ListenAddress,
  fd?: number,
): ReturnType<Port['listen']> {
  try {
    return await port.listen(fd === undefined ? { host, port: wanted } : { fd });
  } catch (cause) {
    throw new CairnError('unavailable', `cannot listen on ${host} port ${wanted}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
