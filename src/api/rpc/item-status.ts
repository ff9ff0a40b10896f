// How one item of a batch fared: gRPC status codes, which Connect's are as well, with a short message.

import { limits } from '../../base/limits.js';
import { type ErrorContext, toConnectError } from '../error-map.js';

export interface ItemStatus {
  readonly code: number;
  readonly message: string;
}

export const itemSuccess: ItemStatus = { code: 0, message: '' };

/** Logs what is this server's fault, as `toConnectError` does. */
export function itemFailure(error: unknown, context: ErrorContext): ItemStatus {
  const { code, rawMessage } = toConnectError(error, context);
  return { code, message: rawMessage.slice(0, limits.itemMessageCharactersMax) };
}
