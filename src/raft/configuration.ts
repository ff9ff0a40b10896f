// Who belongs to the group. While a change of several voters is under way the configuration is joint: `outgoing` are the
// voters from before, and whatever is decided needs a majority of both. All lists are sorted and free of repetitions; a
// node is in `learnersNext` when it still votes in `outgoing` and becomes a learner when the change is finished.

import type { NodeId } from './node-id.js';

export interface Configuration {
  readonly voters: readonly NodeId[];
  /** The voters from before; empty unless joint. */
  readonly outgoing: readonly NodeId[];
  /** They receive the log and have no vote. */
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
}

export const emptyConfiguration: Configuration = { voters: [], outgoing: [], learners: [], learnersNext: [] };

/** A group of these voters. */
export function votersOnly(voters: readonly NodeId[]): Configuration {
  return { ...emptyConfiguration, voters: [...new Set(voters)].sort((a, b) => a - b) };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}

/** Everyone who takes part, each once. */
export function membersOf(configuration: Configuration): NodeId[] {
  const { voters, outgoing, learners, learnersNext } = configuration;
  return [...new Set([...voters, ...outgoing, ...learners, ...learnersNext])].sort((a, b) => a - b);
}
