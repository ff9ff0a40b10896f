// Entries of trees as the wire has them, and the room they take there.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { VirtualFsItemSchema } from '../../gen/zako/v1/fs/fs_pb.js';
import type { TreeItem } from '../../tree/tree-item.js';
import { toDigestMessage } from './digest-message.js';

export function toItemMessage(item: TreeItem): MessageInitShape<typeof VirtualFsItemSchema> {
  const relativePath = item.path;
  switch (item.kind) {
    case 'file':
      return {
        relativePath,
        item: { case: 'digest', value: toDigestMessage(item.digest) },
        isExecutable: item.executable,
        isReadonly: item.readonly,
      };
    case 'symlink':
      return { relativePath, item: { case: 'symlinkTarget', value: item.target } };
    case 'directory':
      return { relativePath, item: { case: 'emptyDirectory', value: true } };
  }
}

/** Most bytes of an entry in a list besides its texts: tags, lengths, names of fields, digest, flags. */
const binaryItemBytes = 72;
const jsonItemBytes = 256;

/** Most bytes that the entry takes in an answer. */
export function itemMessageBytes(item: TreeItem, json: boolean): number {
  const texts = item.kind === 'symlink' ? [item.path, item.target] : [item.path];
  const bytes = json ? jsonItemBytes : binaryItemBytes;
  return texts.reduce((sum, text) => sum + Buffer.byteLength(json ? JSON.stringify(text) : text), bytes);
}
