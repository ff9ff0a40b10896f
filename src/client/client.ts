// The door of the library: `import { connect } from 'cairn'`. For Node; what a browser could share lies beside it.

export { type Digest, formatHash, parseHash } from '../base/digest.js';
export { CairnError, type ErrorCode } from '../base/errors.js';
export { CairnClient } from './cairn-client.js';
export { connect } from './connect.js';
export type { ConnectOptions } from './connect-options.js';
export type { BatchDownloaded, BatchUploaded } from './files/batch.js';
export { FileClient, type FileClientOptions } from './files/file-client.js';
