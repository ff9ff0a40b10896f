// cairn cluster: who keeps the metadata together. Nodes are started, and join, by `cairn serve`.

import type { Command } from 'commander';
import { CairnError } from '../base/errors.js';
import type { Member } from '../client/member-client.js';
import { addSharedOptions, type CommandContext, runCommand } from './command-context.js';

export function addClusterCommand(program: Command): void {
  const cluster = program
    .command('cluster')
    .description('the raft group that keeps the metadata, for admins: members, leave, transfer, recover');
  const add = (name: string, description: string) => addSharedOptions(cluster.command(name)).description(description);

  add('members', 'print "node<tab>address<tab>voter or learner" for every member').action(
    (_: object, command: Command) =>
      runCommand(command, async (context) => {
        show(context, await (await context.client.members()).list(context.signal));
      }),
  );
  add('leave', 'let a member go, for good; prints who is left')
    .argument('<node>', 'its --node-id')
    .action((node: string, _: object, command: Command) =>
      runCommand(command, async (context) => {
        show(context, await (await context.client.members()).remove(node));
      }),
    );
  add('transfer', 'have the server that is asked, which must lead, hand over to another member')
    .argument('<node>', 'its --node-id')
    .action((node: string, _: object, command: Command) =>
      runCommand(command, async ({ client }) => (await client.members()).transferLeadership(node)),
    );
  add('recover', 'after the loss of a majority: make a stopped node a group of its own, with what it has')
    .requiredOption('--data <directory>', "the node's data directory")
    .option('--yes', 'yes, the others are lost for good, and so is what only they had')
    .action(({ data, yes = false }: { data: string; yes?: boolean }, command: Command) =>
      runCommand(command, (context) => recover(context, data, yes)),
    );
}

function show({ output, json }: CommandContext, members: readonly Member[]): void {
  for (const { nodeId, raftId, address, isVoter } of members) {
    const role = isVoter ? 'voter' : 'learner';
    output.line(
      json ? JSON.stringify({ nodeId, raftId: `${raftId}`, address, role }) : `${nodeId}\t${address}\t${role}`,
    );
  }
}

async function recover({ output, json }: CommandContext, data: string, yes: boolean): Promise<void> {
  if (!yes) {
    throw new CairnError(
      'failed_precondition',
      'members that come back later are refused, and what only they had is lost: say --yes if there is no other way',
    );
  }
  // Loaded here: it brings the server along.
  const { recoverGroup } = await import('../server/recover-group.js');
  const { self, lost, index } = await recoverGroup(data);
  const names = lost.map(({ name }) => name);
  output.line(
    json
      ? JSON.stringify({ node: self.name, lost: names, index })
      : `${self.name} is a group of its own now, with ${index} entries; no longer of it: ${names.join(', ') || 'nobody'}`,
  );
}
