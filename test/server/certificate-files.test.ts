// The files are looked at now and then, on a clock that the test holds.

import { rmSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { Certificates } from '../../src/api/tls-end.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { CertificateFiles } from '../../src/server/certificate-files.js';
import { type CertificateFile, useAuthority } from '../support/certificates.js';

const authority = useAuthority();

async function setUp(first: CertificateFile) {
  const { files: live, put } = authority.place(first);
  const waiting: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (_, callback) => {
      waiting.push(callback);
      return () => waiting.splice(0);
    },
  };
  const logged: { level: number; msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const changes: Certificates[] = [];
  const parts = {
    files: { ...live, clientCa: undefined },
    clock,
    logger,
    onChange: (to: Certificates) => changes.push(to),
  };
  const { files } = await CertificateFiles.open(parts);
  /** Lets the time for a look come, and waits until the next is due. */
  const look = async () => {
    waiting.shift()!();
    await expect.poll(() => waiting.length).toBe(1);
  };
  return { live, put, files, waiting, logged, changes, look };
}

const warning = 40;
const error = 50;

it('sees new files, bad ones, and those that are being replaced', async () => {
  const { live, put, files, waiting, logged, changes, look } = await setUp(authority.issue('localhost', { days: 99 }));
  await look();
  expect(changes).toHaveLength(0);
  put(authority.issue('localhost', { days: 99 }));
  await look();
  await look();
  expect(changes).toHaveLength(1);
  rmSync(live.cert);
  await look();
  writeFileSync(live.cert, 'nonsense');
  await look();
  await look();
  expect(changes).toHaveLength(1);
  expect(logged.filter(({ level }) => level === error)).toHaveLength(1);
  put(authority.issue('localhost', { days: 99 }));
  await look();
  expect(changes).toHaveLength(2);
  expect(logged.filter(({ level }) => level === warning)).toHaveLength(0);
  files.close();
  expect(waiting).toHaveLength(0);
});

it('warns of a certificate that ends soon, or has', async () => {
  for (const days of [0, 1]) {
    const { files, logged } = await setUp(authority.issue('localhost', { days }));
    expect(logged.filter(({ level }) => level === warning)).toHaveLength(1);
    files.close();
  }
});
