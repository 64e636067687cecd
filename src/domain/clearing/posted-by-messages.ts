/**
 * What a record presents of what messages have posted, while something is still held beside it (or, of a refund, announced): that is a
 * duplicate (decision 0030), and what is still held is not.
 */
import { AuthorizationFold } from '../authorization-fold.js';
import type { DecisionContext } from '../decision-context.js';
import { Undone, undoneBy } from '../lookups.js';
import { MessageInput, Text } from '../message.js';
import { isChange } from '../originals.js';
import { readStanding, Standing } from '../standing.js';
import { copyInput, sameText } from '../texts.js';
import { MatchRung } from './codes.js';
import type { Match } from './match.js';

const standing = new Standing();
const fold = new AuthorizationFold();
const ofRoot = new MessageInput();

/**
 * Minor units of the account's currency; 0 when the record presents something else. It presents what a 0220 posted when it has the network
 * id of that and not of the authorization, or when its amount is that of the 0220, or of all that messages posted, and not what is held. With
 * the amount of both together it presents what is posted as well, and a record is posted whole or not at all.
 * @param held what is held beside it, or announced of a refund
 */
export function postedByMessages(
  context: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  { root, sequence, rung }: Match,
  amount: number,
  held: number,
): number {
  const { history, keys } = context;
  const all = readStanding(history, keys, root, standing).total;
  if (all === 0 || sequence === 0) return 0;
  const own = sequence === root ? 0 : postedBy(context, root, sequence);
  if (own > 0) {
    const isItsId = rung === MatchRung.networkId && !hasSameId(history, root, sequence);
    if (isItsId || (own === amount && amount !== held)) return own;
  }
  return (all === amount && amount !== held) || all + held === amount ? all : 0;
}

/** What the message at `sequence` has posted, unless that was reversed; of a part what is left of it. */
function postedBy(
  context: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  root: number,
  sequence: number,
): number {
  const { history, keys } = context;
  const event = history.read(sequence);
  if (isChange(event)) return fold.read(context, root).partOf(sequence);
  const { total } = standing.clear().addLegs(event.postings);
  return total > 0 && undoneBy(history, keys, sequence) === Undone.no ? total : 0;
}

/** True when both messages have the same network id. */
function hasSameId(history: DecisionContext['history'], root: number, sequence: number): boolean {
  copyInput(history.read(root).input, ofRoot);
  return sameText(ofRoot, Text.networkId, history.read(sequence).input, Text.networkId);
}
