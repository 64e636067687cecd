/**
 * What a rule may answer: any decline of DE39 but those that mean something else to the network. The outcome of a rule is
 * a decline only; approving is the last step's, and it knows the money (section 3 of the domain rules).
 */
import { RULE_REASON_LENGTH_MAX } from '../../limits.js';
import { Meaning, otherMeaning } from '../decline-codes.js';
import type { Outcome } from './ast.js';
import { Refusal } from './rule-error.js';

/** Why a rule may not give a code that is no decline with a reason. */
const refusals: Readonly<Record<Meaning, string>> = {
  [Meaning.approval]: 'approves, and a rule can only decline',
  [Meaning.engine]: 'is the answer of the engine itself, which a peer acts upon',
  [Meaning.generic]: 'says nothing: use the code of the reason, such as 59 (suspected fraud) or 57 (not permitted)',
};

/** @throws Refusal `bad_response` or `bad_reason` */
export function checkOutcome(outcome: Outcome): void {
  const { response, reason } = outcome;
  const at = { node: outcome, key: 'response' };
  if (!/^[0-9A-Z]{2}$/.test(response)) {
    throw new Refusal('bad_response', at, 'a response code has two characters, digits or capital letters, such as 59');
  }
  const other = otherMeaning(response);
  if (other !== undefined) throw new Refusal('bad_response', at, `${response} ${refusals[other]}`);
  if (reason.length <= RULE_REASON_LENGTH_MAX && /^[a-z][a-z0-9_]*$/.test(reason)) return;
  throw new Refusal(
    'bad_reason',
    { node: outcome, key: 'reason' },
    `a reason is a name of at most ${RULE_REASON_LENGTH_MAX} small letters, digits and underscores, such as suspected_fraud`,
  );
}
