// What one peer asks for over LMOF, done by the files of this server and whoever knows its nodes. A session knows whom its
// peer has said to be.

import type { Clock } from '../../base/clock.js';
import { formatTime } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { resolveRange } from '../../base/range.js';
import type { Cluster } from '../../cluster/cluster.js';
import type { FileService } from '../../file/file-service.js';
import type { Connection } from '../auth/connection.js';
import type { Gate } from '../auth/gate.js';
import type { Need } from '../auth/principal.js';
import { listedFileData, pageOf, storedFileData } from '../file-shapes.js';
import type { LmofSession } from './lmof-connection.js';
import type { Answers, AnyAnswer, AnyRequest, AuthRequest, Requests } from './lmof-messages.js';
import type { Action } from './message-types.js';

export interface LmofSessionParts {
  readonly files: FileService;
  readonly cluster: Cluster;
  readonly gate: Gate;
  readonly clock: Clock;
}

const needs: Readonly<Record<Action, Need>> = {
  UPLOAD: 'write',
  DOWNLOAD: 'read',
  DELETE: 'delete',
  LIST: 'read',
  HEARTBEAT: 'public',
  AUTH: 'public',
};

export function lmofSession(parts: LmofSessionParts, connection: Connection): LmofSession {
  const { files, cluster, gate, clock } = parts;
  /** What AUTH has presented, as the header of HTTP that says the same. */
  let authorization: string | undefined;
  let account = '';
  const admit = async (need: Need, presented = authorization) => {
    const principal = await gate.admit({ ...connection, authorization: presented }, need);
    if (need !== 'public') account = principal.name;
    return principal;
  };

  const actions: { [A in Action]: (request: Requests[A], signal: AbortSignal) => Promise<Answers[A]> } = {
    async UPLOAD({ file_name, file_size, isSizeExact, content_type, if_exists, content }, signal) {
      const stored = await files.upload(file_name, content, {
        ifExists: ifExistsOf(if_exists),
        contentType: content_type,
        expectedSize: isSizeExact ? file_size : undefined,
        signal,
      });
      const replicas = await replicasOf(cluster);
      const data = storedFileData(stored);
      return { ...data, chunks: data.chunks.map((chunk) => ({ ...chunk, replicas })) };
    },
    async DOWNLOAD({ file_id, offset = 0, length, version }, signal) {
      const { info, bytes } = await files.open(file_id, { version });
      if (offset > info.size) {
        throw new CairnError('out_of_range', `the file has ${info.size} bytes, and none from ${offset} on`);
      }
      const range = resolveRange(info.size, offset, Math.min(length ?? info.size, info.size - offset));
      return {
        file_id: info.fileId,
        file_name: info.name,
        file_size: info.size,
        offset,
        length: range.end - range.start,
        content: bytes(range, { signal }),
      };
    },
    async DELETE({ file_id }) {
      await files.delete(file_id);
      return {};
    },
    async LIST({ page, page_size: pageSize, prefix }) {
      const found = await files.list({ page, pageSize, prefix });
      return { ...pageOf(found), files: found.items.map(listedFileData) };
    },
    async HEARTBEAT({ node_id }) {
      if (node_id !== undefined) {
        await admit('node');
        await knownNode(cluster, node_id);
      }
      return { timestamp: formatTime(clock.now()) };
    },
    async AUTH(credentials) {
      const presented = authorizationOf(credentials);
      const { name, roles } = await admit('account', presented);
      authorization = presented;
      return { user: name, roles };
    },
  };

  return {
    get account() {
      return account;
    },
    async admit(action) {
      await admit(needs[action]);
    },
    async perform({ action, request }: AnyRequest, signal) {
      const perform = actions[action] as (request: unknown, signal: AbortSignal) => Promise<unknown>;
      return { action, answer: await perform(request, signal) } as AnyAnswer;
    },
  };
}

function ifExistsOf(text: string | undefined): 'version' | 'fail' {
  if (text === undefined || text === 'version' || text === 'fail') return text ?? 'version';
  throw new CairnError(
    'invalid_argument',
    `if_exists is "version" or "fail", not ${JSON.stringify(text).slice(0, 64)}`,
    {
      subject: { kind: 'parameter', id: 'if_exists' },
    },
  );
}

/** Alone, this node holds the only copy. */
async function replicasOf(cluster: Cluster): Promise<Answers['UPLOAD']['chunks'][number]['replicas']> {
  const { nodes } = await cluster.info();
  return nodes
    .filter(({ roles }) => roles.includes('datanode'))
    .map(({ nodeId, address }, i) => ({ node_id: nodeId, address, role: i === 0 ? 'primary' : 'secondary' }));
}

async function knownNode(cluster: Cluster, nodeId: string): Promise<void> {
  const { nodes } = await cluster.info();
  if (nodes.some((node) => node.nodeId === nodeId)) return;
  throw new CairnError('not_found', `there is no node ${JSON.stringify(nodeId).slice(0, 64)}`, {
    subject: { kind: 'node', id: nodeId },
  });
}

function authorizationOf({ token, username, password }: AuthRequest): string {
  if (token !== undefined) return `Bearer ${token}`;
  if (username === undefined || password === undefined) {
    throw new CairnError('invalid_argument', 'AUTH takes a token, or a username and a password');
  }
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
