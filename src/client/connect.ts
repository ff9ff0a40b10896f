// A client on a connection of Node's. Beside the library's door, so that commands need not load all that lies behind that.

import { CairnClient } from './cairn-client.js';
import type { ConnectOptions } from './connect-options.js';
import { openNodeTransport } from './node-transport.js';

/**
 * A client of the server at `http://HOST:PORT` (or https). Connects with the first call; `invalid_argument` when the
 * URL is none, or a user has no password.
 */
export function connect(url: string, options: ConnectOptions = {}): CairnClient {
  return new CairnClient(openNodeTransport(url, options));
}
