// How nodes that know of each other by name and address become a group. Each makes its id and tells the others. A node founds
// only when all of them have said that they know the same ids: so no two can found differently, and one that has lost its
// disk, and with it its id, is told so instead of being taken for the one it was.

import { hashHex } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { digestBlob } from '../../blake3/hasher.js';
import { foundingGroup } from '../../raft/recovery.js';
import { firstVersion, type Group, type Member } from './group.js';

/** What a node has said of itself and of what it knows. */
export interface Greeting {
  readonly member: Member;
  /** Empty for one that belongs to no group yet. */
  readonly groupId: string;
  /** Of its group; 0 for one that belongs to none. */
  readonly clusterVersion: number;
  readonly founders: readonly string[];
  /** Those it knows: of its group, or of the founders so far. */
  readonly members: readonly Member[];
}

export class Founders {
  /** Sorted; empty for a node that is to join a group. */
  readonly names: readonly string[];
  readonly #self: Member;
  readonly #known = new Map<string, Member>();
  /** Those who have said that they know the same as this node. */
  readonly #agreed = new Set<string>();
  #failure: CairnError | undefined;

  constructor(self: Member, names: readonly string[]) {
    this.#self = self;
    this.names = [...names].sort();
    this.#known.set(self.name, self);
  }

  /** Those that are known, this node included. */
  get members(): readonly Member[] {
    return [...this.#known.values()].sort((a, b) => a.id - b.id);
  }

  /** A node has come, or has answered. */
  met({ member, groupId, founders, members }: Omit<Greeting, 'clusterVersion'>): void {
    const { name, id } = member;
    if (!this.names.includes(name) || name === this.#self.name) return;
    if (founders.join() !== this.names.join()) {
      this.#fail(
        `${name} is to found a group of ${founders.join(', ') || 'nobody'}, this node one of ${this.names.join(', ')}`,
      );
      return;
    }
    const before = this.#known.get(name);
    if (before !== undefined && before.id !== id) {
      this.#fail(`two nodes say that they are ${name}: ${before.id} and ${id}`);
      return;
    }
    this.#known.set(name, member);
    if (groupId !== '' && !members.some((other) => other.id === this.#self.id)) {
      this.#fail(
        `${name} is in a group without this node: if it has lost its disk, remove it there and let it join anew`,
      );
    }
    if (sameIds(members, this.members) || (groupId !== '' && groupId === this.#groupId())) this.#agreed.add(name);
    else this.#agreed.delete(name);
  }

  /** The group, once all have agreed on it. `failed_precondition` when they never can. */
  agreed(): Group | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const others = this.names.filter((name) => name !== this.#self.name);
    if (!others.every((name) => this.#agreed.has(name))) return undefined;
    const { members } = this;
    return {
      ...foundingGroup(
        members.map(({ id }) => id),
        firstVersion,
      ),
      members,
      groupId: this.#groupId(),
    };
  }

  #groupId(): string {
    const text = this.members.map(({ id, name }) => `${id} ${name}\n`).join('');
    return hashHex(digestBlob(Buffer.from(text)).hash).slice(0, 16);
  }

  #fail(message: string): void {
    this.#failure ??= new CairnError('failed_precondition', message);
  }
}

function sameIds(some: readonly Member[], others: readonly Member[]): boolean {
  const ids = new Set(some.map(({ id }) => id));
  return ids.size === others.length && others.every(({ id }) => ids.has(id));
}
