// The server's certificates from their files, and again whenever the files change: on request, and by a look at them now and
// then, since whoever renews certificates seldom knows whom to tell. New files that are no good leave the old ones in force.

import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Certificates } from '../api/tls-end.js';
import { type Clock, parseTime } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { TlsFiles } from './config.js';
import type { createLogger } from './logger.js';

export interface CertificateFilesParts {
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly logger: ReturnType<typeof createLogger>;
  /** Told of each change that is good. */
  readonly onChange: (certificates: Certificates) => void;
}

export class CertificateFiles {
  readonly #parts: CertificateFilesParts;
  #seen: string;
  #cancelLook: () => void = () => {};
  #isClosed = false;

  private constructor(parts: CertificateFilesParts, seen: string) {
    this.#parts = parts;
    this.#seen = seen;
    this.#lookLater();
  }

  /** What is in the files now, and who watches them. `failed_precondition` when they are missing or do not fit together. */
  static async open(parts: CertificateFilesParts): Promise<{ files: CertificateFiles; certificates: Certificates }> {
    const seen = await stamp(parts.files);
    const certificates = await read(parts.files);
    warnOfTheEnd(certificates, parts);
    return { files: new CertificateFiles(parts, seen), certificates };
  }

  /** Reads the files anew. Never rejects: what is wrong is logged. */
  async reload(): Promise<void> {
    const { files, logger, onChange } = this.#parts;
    try {
      this.#seen = await stamp(files);
      const certificates = await read(files);
      onChange(certificates);
      warnOfTheEnd(certificates, this.#parts);
      logger.info({ certificate: files.cert }, 'certificates were read anew');
    } catch (error) {
      logger.error({ err: error }, 'certificates could not be read anew: the old ones stay');
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelLook();
  }

  #lookLater(): void {
    this.#cancelLook = this.#parts.clock.after(limits.certificatesLookMilliseconds, () => void this.#look());
  }

  async #look(): Promise<void> {
    // A file that is being replaced may be missing for a moment.
    const now = await stamp(this.#parts.files).catch(() => this.#seen);
    if (now !== this.#seen) await this.reload();
    if (!this.#isClosed) this.#lookLater();
  }
}

/** Differs when the files do. */
async function stamp({ cert, key, clientCa }: TlsFiles): Promise<string> {
  const paths = [cert, key, ...(clientCa === undefined ? [] : [clientCa])];
  const stats = await Promise.all(paths.map((path) => about(path, () => stat(path, { bigint: true }))));
  return stats.map(({ ino, size, mtimeNs }) => `${ino} ${size} ${mtimeNs}`).join('\n');
}

async function read(files: TlsFiles): Promise<Certificates> {
  const content = (path: string) => about(path, () => readFile(path));
  const [cert, key, clientCa] = await Promise.all([
    content(files.cert),
    content(files.key),
    files.clientCa === undefined ? undefined : content(files.clientCa),
  ]);
  // OpenSSL's words are about the form of the files, not about what is in them.
  await about(`${files.cert} with ${files.key}`, () => createSecureContext({ cert, key }));
  if (clientCa !== undefined) await about(files.clientCa!, () => new X509Certificate(clientCa));
  return { cert, key, clientCa };
}

async function about<T>(path: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CairnError('failed_precondition', `${path} cannot be used for TLS: ${reason}`, { cause });
  }
}

function warnOfTheEnd({ cert }: Certificates, { clock, files, logger }: CertificateFilesParts): void {
  const end = parseTime(new X509Certificate(cert).validTo);
  if (end - clock.now() > limits.certificateEndMilliseconds) return;
  logger.warn(
    { certificate: files.cert, validTo: new X509Certificate(cert).validTo },
    'the certificate ends soon, or has',
  );
}
