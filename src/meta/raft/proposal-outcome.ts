// What became of a proposal, in our terms.

import { CairnError } from '../../base/errors.js';
import type { ProposalOutcome } from '../../raft/driver-parts.js';
import type { ProposalRefusal } from '../../raft/raft-core.js';
import type { KvOutcome } from '../apply-entries.js';

/** What became of a proposal, as a promise. `unavailable`: it is not in the log. `timeout`: nobody knows. */
export function settled(
  resolve: (outcome: KvOutcome) => void,
  reject: (error: CairnError) => void,
): (outcome: ProposalOutcome<KvOutcome>) => void {
  return (outcome) => {
    if (outcome.kind === 'applied') resolve(outcome.result);
    else if (outcome.kind === 'superseded') reject(noLeader());
    else if (outcome.kind === 'unknown') reject(new CairnError('timeout', 'the group has not answered in time'));
    else reject(refusalError(outcome.reason));
  };
}

function refusalError(reason: ProposalRefusal | 'stopped'): CairnError {
  switch (reason) {
    case 'not_leader':
    case 'transferring':
    case 'stopped':
      return noLeader();
    case 'overloaded':
      return new CairnError('overloaded', 'too much waits to be agreed on');
    case 'too_large':
      return new CairnError('too_large', 'the transaction is too large for the log');
    case 'version':
      return new CairnError('failed_precondition', 'not all nodes understand this yet');
    case 'config_pending':
      return new CairnError('conflict', 'another change of members is under way');
    case 'config_invalid':
      return new CairnError('invalid_argument', 'this change of members cannot be made');
  }
}

export function noLeader(): CairnError {
  return new CairnError('unavailable', 'no leader of the group can be reached');
}
