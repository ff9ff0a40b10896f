// Listens at a configured address.

import type { Listener } from '../api/listener.js';
import { CairnError } from '../base/errors.js';
import type { ListenAddress } from './config.js';

/** Answers the port. `unavailable` for an address that cannot be had. */
export async function listenOn(listener: Pick<Listener, 'listen'>, { host, port }: ListenAddress): Promise<number> {
  try {
    return (await listener.listen({ host, port })).port;
  } catch (cause) {
    throw new CairnError('unavailable', `cannot listen on ${host} port ${port}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
