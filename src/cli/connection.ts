// Which server a command talks to, and as whom.

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import type { ConnectOptions } from '../client/connect-options.js';

export interface ConnectionFlags {
  readonly server?: string;
  readonly token?: string;
  readonly user?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const defaultServer = 'http://127.0.0.1:9000';

/** Adds what all commands of a client understand. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option('--server <url>', `address of the server (default: $CAIRN_SERVER or ${defaultServer})`)
    .option('--token <token>', 'present this token (default: $CAIRN_TOKEN)')
    .option('--user <name>', 'present this account; its password is asked for, or in $CAIRN_PASSWORD')
    .option('--ca <file>', 'believe these authorities about an https server (default: $CAIRN_CA)')
    .option('--cert <file>', 'present this certificate')
    .option('--key <file>', 'its private key');
}

/** `invalid_argument` when the flags do not go together or a file cannot be read. */
export async function connection(flags: ConnectionFlags): Promise<{ url: string; options: ConnectOptions }> {
  const { server, token, user, ca = process.env.CAIRN_CA, cert, key } = flags;
  if (token !== undefined && user !== undefined) {
    throw new CairnError('invalid_argument', '--token and --user are two ways to say the same: give one');
  }
  const [caPem, certPem, keyPem] = await Promise.all([ca, cert, key].map(readPem));
  const files = { ca: caPem, cert: certPem, key: keyPem };
  const url = server ?? process.env.CAIRN_SERVER ?? defaultServer;
  if (user !== undefined) {
    const { readOwnPassword } = await import('./secret-input.js');
    return { url, options: { ...files, user, password: await readOwnPassword(user) } };
  }
  return { url, options: { ...files, token: token ?? process.env.CAIRN_TOKEN } };
}

async function readPem(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('invalid_argument', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
