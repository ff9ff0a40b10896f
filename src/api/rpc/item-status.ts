// How one item of a batch fared: gRPC status codes, which Connect's are as well, with a short message.

import { create } from '@bufbuild/protobuf';
import { limits } from '../../base/limits.js';
import { type ItemStatus, ItemStatusSchema } from '../../gen/cairn/v1/blob_service_pb.js';
import { type ErrorContext, toConnectError } from '../error-map.js';

/** One message for all, so that none has to be made for each item. */
export const itemSuccess: ItemStatus = create(ItemStatusSchema);

/** Logs what is this server's fault, as `toConnectError` does. */
export function itemFailure(error: unknown, context: ErrorContext): ItemStatus {
  const { code, rawMessage } = toConnectError(error, context);
  return create(ItemStatusSchema, { code, message: rawMessage.slice(0, limits.itemMessageCharactersMax) });
}
