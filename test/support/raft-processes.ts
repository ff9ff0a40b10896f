// A group of `cairn serve --meta raft` processes on this machine, to be killed and started again.

import { join } from 'node:path';
import { type CairnServerProcess, startCairnServer } from './cairn-process.js';
import { freePorts } from './free-ports.js';

export interface RaftStatus {
  readonly node_id: string;
  readonly state: 'Leader' | 'Follower' | 'Candidate' | 'Learner';
  readonly term: number;
  readonly leader_id: string | null;
  readonly commit_index: number;
  readonly peers: readonly { readonly node_id: string; readonly match_index: number }[];
}

export class RaftProcesses {
  readonly names: readonly string[];
  readonly #directory: string;
  readonly #peers: readonly string[];
  readonly #running = new Map<string, CairnServerProcess>();

  private constructor(directory: string, peers: readonly string[]) {
    this.#directory = directory;
    this.#peers = peers;
    this.names = peers.map((_, i) => `master-${i + 1}`);
  }

  /** Founds a group of so many, in this directory. */
  static async start(directory: string, count: number): Promise<RaftProcesses> {
    const ports = await freePorts(count);
    const group = new RaftProcesses(
      directory,
      ports.map((port) => `127.0.0.1:${port}`),
    );
    await Promise.all(group.names.map((name) => group.start(name)));
    return group;
  }

  /** Resolves when it serves, which takes a leader. */
  async start(name: string, more: readonly string[] = []): Promise<void> {
    const at = this.names.indexOf(name);
    const peers = this.names.map((each, i) => `${each}=${this.#peers[i]}`).join();
    const flags = ['--meta', 'raft', '--role', 'master', '--node-id', name, '--peer-listen', this.#peers[at]!];
    const data = ['--data', join(this.#directory, name)];
    this.#running.set(name, await startCairnServer([...flags, '--peers', peers, ...data, ...more]));
  }

  /** A new node, which joins those that run. */
  async join(name: string): Promise<void> {
    const [port] = await freePorts(1);
    const flags = ['--meta', 'raft', '--role', 'master', '--node-id', name, '--peer-listen', `127.0.0.1:${port}`];
    const known = this.#peers.flatMap((peer) => ['--join', peer]);
    this.#running.set(name, await startCairnServer([...flags, ...known, '--data', join(this.#directory, name)]));
  }

  /** At once, without a word to anybody. */
  async kill(name: string): Promise<void> {
    const process = this.#running.get(name);
    this.#running.delete(name);
    await process?.stop('SIGKILL');
  }

  /** Those that run. */
  get urls(): string[] {
    return [...this.#running.values()].map(({ url }) => url);
  }

  urlOf(name: string): string | undefined {
    return this.#running.get(name)?.url;
  }

  /** As each of those that run sees it. */
  async statuses(): Promise<RaftStatus[]> {
    const answers = this.urls.map(async (url) => {
      const answer = await fetch(`${url}/api/v1/raft/status`, { signal: AbortSignal.timeout(2000) });
      return ((await answer.json()) as { data: RaftStatus }).data;
    });
    return (await Promise.allSettled(answers)).flatMap((answer) =>
      answer.status === 'fulfilled' ? [answer.value] : [],
    );
  }

  async leader(): Promise<string | undefined> {
    return (await this.statuses()).find(({ state }) => state === 'Leader')?.node_id;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.kill(name)));
  }
}
