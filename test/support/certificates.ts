// Certificates as an operator would make them, with the openssl command, in a directory that is gone after the tests.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

export interface CertificateFile {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
}

/** An authority of its own for the tests of a file or of a `describe`: there before the first, gone after the last. */
export function useAuthority(): TestAuthority {
  const authority = new TestAuthority();
  beforeAll(() => authority.open());
  afterAll(() => authority.remove());
  return authority;
}

export class TestAuthority {
  #directory: string | undefined;
  #server: CertificateFile | undefined;
  #count = 0;

  open(): void {
    this.#directory = mkdtempSync(join(tmpdir(), 'cairn-certificates-'));
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

  /** Path of its own certificate. */
  get ca(): string {
    return this.#path('ca.pem');
  }

  /** Of a server, the same each time. */
  get server(): CertificateFile {
    this.#server ??= this.issue('localhost');
    return this.#server;
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

  /** Files that a server may watch: `put` replaces what is in them. */
  place(first: CertificateFile): { readonly files: CertificateFile; put(from: CertificateFile): void } {
    const name = String(++this.#count);
    const files = { cert: this.#path(`${name}-live.pem`), key: this.#path(`${name}-live.key`) };
    const put = (from: CertificateFile) => {
      copyFileSync(from.key, files.key);
      copyFileSync(from.cert, files.cert);
    };
    put(first);
    return { files, put };
  }

  /** What a client of `issue`d servers needs. */
  get trusted(): Buffer {
    return readFileSync(this.ca);
  }

  remove(): void {
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#directory!, name);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}
