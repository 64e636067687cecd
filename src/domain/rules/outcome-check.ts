/**
 * What a rule may answer: any decline of DE39 but those that mean something else to the network. The outcome of a rule is
 * a decline only; approving is the last step's, and it knows the money (section 3 of the domain rules).
 */
import { RULE_REASON_LENGTH_MAX } from '../../limits.js';
import type { Outcome } from './ast.js';
import { Refusal } from './rule-error.js';

const approval = 'approves, and a rule can only decline';
const own = 'is the answer of the engine itself, which a peer acts upon';

/** Response codes that no rule may give, each with its reason. */
const refused: Readonly<Record<string, string>> = {
  '00': approval,
  '08': approval,
  '10': approval,
  '11': approval,
  '16': approval,
  '85': approval,
  '05': 'says nothing: use the code of the reason, such as 59 (suspected fraud) or 57 (not permitted)',
  '30': own,
  '68': own,
  '91': own,
  '94': own,
  '96': own,
};

/** @throws Refusal `bad_response` or `bad_reason` */
export function checkOutcome(outcome: Outcome): void {
  const { response, reason } = outcome;
  const at = { node: outcome, key: 'response' };
  if (!/^[0-9A-Z]{2}$/.test(response)) {
    throw new Refusal('bad_response', at, 'a response code has two characters, digits or capital letters, such as 59');
  }
  if (Object.hasOwn(refused, response)) throw new Refusal('bad_response', at, `${response} ${refused[response]}`);
  if (reason.length <= RULE_REASON_LENGTH_MAX && /^[a-z][a-z0-9_]*$/.test(reason)) return;
  throw new Refusal(
    'bad_reason',
    { node: outcome, key: 'reason' },
    `a reason is a name of at most ${RULE_REASON_LENGTH_MAX} small letters, digits and underscores, such as suspected_fraud`,
  );
}
