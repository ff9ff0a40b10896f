// Certificates as an operator would make them, with the openssl command, in a directory that is gone after the tests.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CertificateFile {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
}

export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), 'cairn-certificates-'));
  /** Path of its own certificate. */
  readonly ca = join(this.directory, 'ca.pem');
  #count = 0;

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      ...newKey(this.#path('ca-key.pem')),
      '-subj',
      '/CN=test',
      '-out',
      this.ca,
      '-days',
      '2',
    );
  }

  /** For localhost and the loopback addresses, and for clients; of no days, it has ended already. */
  issue(commonName: string, { days = 1 } = {}): CertificateFile {
    const name = String(++this.#count);
    const [key, request, extensions, cert] = ['key', 'csr', 'cnf', 'pem'].map((end) => this.#path(`${name}.${end}`));
    writeFileSync(extensions!, 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
    this.#openssl('req', '-new', ...newKey(key!), '-subj', `/CN=${commonName}`, '-out', request!);
    const signing = ['-CA', this.ca, '-CAkey', this.#path('ca-key.pem'), '-CAcreateserial'];
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request!,
      ...signing,
      '-days',
      `${days}`,
      '-extfile',
      extensions!,
      '-out',
      cert!,
    );
    return { cert: cert!, key: key! };
  }

  /** What a client of `issue`d servers needs. */
  get trusted(): Buffer {
    return readFileSync(this.ca);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  #path(name: string): string {
    return join(this.directory, name);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}
