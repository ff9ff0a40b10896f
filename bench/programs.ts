// Programs of others that the bench measures beside Cairn, or has as clients: where they are, and how one gets them. One that
// is not there costs its rows, and a line in their place.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

export type Program =
  | 'b3sum'
  | 'bazel-remote'
  | 'casync'
  | 'curl'
  | 'docker-registry'
  | 'h2load'
  | 'nginx'
  | 'restic'
  | 'wrk';

/** Debian puts servers where the PATH of a user does not lead. */
const folders = [...(process.env.PATH ?? '').split(':').filter((folder) => folder !== ''), '/usr/sbin'];

/** Its path, or undefined. */
export function findProgram(name: Program): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Those of the names that are not there. */
export function missingPrograms(names: readonly Program[]): Program[] {
  return names.filter((name) => findProgram(name) === undefined);
}

/** A line for the report. */
export function describeMissing(name: Program): string {
  return `Left out: ${name} is not on the PATH. \`bench/install-peers ${name}\` installs it.`;
}
