// Real etcd members as child processes, for the tests of the etcd engine.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.js';
import { freePorts } from './free-ports.js';

/** The program, where it is installed. */
export const etcdProgram: string | undefined =
  spawnSync('etcd', ['--version']).error === undefined ? 'etcd' : undefined;

export interface EtcdMember {
  readonly url: string;
  /** At once, without a word to anybody. */
  kill(): Promise<void>;
  /** With the data it had, at the same address. Resolves when it serves. */
  start(): Promise<void>;
  /** Stops it where it stands, or lets it go on: its connections stay open, and nobody answers. */
  freeze(): void;
  thaw(): void;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly string[];
  /** Ends all members and removes their data. */
  stop(): Promise<void>;
}

/** Resolves when every member serves. */
export async function startEtcd(program: string, size: number): Promise<EtcdCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-etcd-'));
  const ports = await freePorts(2 * size);
  const peers = ports.slice(size).map((port, i) => `m${i}=http://127.0.0.1:${port}`);
  const members = ports.slice(0, size).map((port, i): EtcdMember => {
    const url = `http://127.0.0.1:${port}`;
    const peerUrl = peers[i]!.slice(`m${i}=`.length);
    const flags = {
      name: `m${i}`,
      'data-dir': join(directory, `m${i}`),
      'listen-client-urls': url,
      'advertise-client-urls': url,
      'listen-peer-urls': peerUrl,
      'initial-advertise-peer-urls': peerUrl,
      'initial-cluster': peers.join(','),
      'initial-cluster-state': 'new',
      logger: 'zap',
      'log-level': 'error',
    };
    return member(
      program,
      url,
      Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    );
  });
  await Promise.all(members.map((each) => each.start()));
  return {
    members,
    endpoints: members.map(({ url }) => url),
    async stop() {
      await Promise.all(members.map((each) => each.kill()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function member(program: string, url: string, flags: readonly string[]): EtcdMember {
  let child: ChildProcess | undefined;
  const endWithUs = () => child?.kill('SIGKILL');
  process.once('exit', endWithUs);
  return {
    url,
    async start() {
      child = spawn(program, flags, { stdio: 'ignore' });
      while (!(await isServing(url))) {
        if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}`);
        await sleep(systemClock, 20);
      }
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
  };
}

async function isServing(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) });
    return (await answer.text()).includes('true');
  } catch {
    return false;
  }
}
