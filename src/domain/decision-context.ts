/** What a decision may look at: the state, the past, and the tables of the programs. One per shard; nothing here is changed by it. */
import type { CardCryptography } from './cryptography.js';
import type { History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import type { Policies, Policy } from './program/policy.js';
import type { RequestChecks } from './request-checks.js';
import type { ShardState } from './shard-state.js';

export interface DecisionContext {
  readonly state: ShardState;
  readonly history: History;
  readonly keys: IndexKeys;
  readonly policies: Pick<Policies, 'of'>;
  readonly checks: RequestChecks;
  readonly cryptography: CardCryptography;
}

/** Policy of the account's program. */
export function policyOf({ state, policies }: DecisionContext, accountSlot: number): Policy {
  return policies.of(state.accounts.program(accountSlot));
}
