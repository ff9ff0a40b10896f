// TLS as configured: certificates from files, read anew when they change.

import { type Certificates, createTlsEnd, type TlsEnd } from '../api/tls-end.js';
import type { Clock } from '../base/clock.js';
import { CertificateFiles } from './certificate-files.js';
import type { TlsFiles } from './config.js';
import type { createLogger } from './logger.js';

export interface OpenedTls {
  readonly end: TlsEnd;
  readonly files: CertificateFiles;
}

export async function openTls(
  tlsFiles: TlsFiles,
  clock: Clock,
  logger: ReturnType<typeof createLogger>,
): Promise<OpenedTls> {
  let end: TlsEnd | undefined;
  const onChange = (changed: Certificates) => end?.setCertificates(changed);
  const { files, certificates } = await CertificateFiles.open({ files: tlsFiles, clock, logger, onChange });
  end = createTlsEnd(certificates);
  return { end, files };
}
