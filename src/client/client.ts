// The door of the library: `import { connect } from 'cairn'`. For Node; what a browser could share lies beside it.

import { CairnClient } from './cairn-client.js';
import type { ConnectOptions } from './connect-options.js';
import { openNodeTransport } from './node-transport.js';

export { type Digest, formatHash, parseHash } from '../base/digest.js';
export { CairnError, type ErrorCode } from '../base/errors.js';
export { CairnClient } from './cairn-client.js';
export type { ConnectOptions } from './connect-options.js';
export type { BatchDownloaded, BatchUploaded } from './files/batch.js';
export { FileClient, type FileClientOptions } from './files/file-client.js';

/**
 * A client of the server at `http://HOST:PORT` (or https). Connects with the first call; `invalid_argument` when the
 * URL is none, or a user has no password.
 */
export function connect(url: string, options: ConnectOptions = {}): CairnClient {
  return new CairnClient(openNodeTransport(url, options));
}
