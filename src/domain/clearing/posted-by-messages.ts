/**
 * What a record presents of what messages have posted, while something is still held beside it: that is a duplicate (decision 0030), and what
 * is still held is not.
 */
import type { DecisionContext } from '../decision-context.js';
import { Undone, undoneBy } from '../lookups.js';
import { MessageInput, Text } from '../message.js';
import { readStanding, Standing } from '../standing.js';
import { copyInput, sameText } from '../texts.js';
import { MatchRung } from './codes.js';
import type { Match } from './match.js';

const standing = new Standing();
const ofRoot = new MessageInput();

/**
 * Minor units of the account's currency; 0 when the record presents something else. It presents what a 0220 posted when it has the network
 * id of that and not of the authorization, or when its amount is that of the 0220, or of all that messages posted, and not what is held.
 */
export function postedByMessages(
  { history, keys }: Pick<DecisionContext, 'history' | 'keys'>,
  { root, sequence, rung }: Match,
  amount: number,
  remaining: number,
): number {
  const all = readStanding(history, keys, root, standing).total;
  if (all === 0 || sequence === 0) return 0;
  const found = history.read(sequence);
  const own = sequence === root ? 0 : standing.clear().addLegs(found.postings).total;
  if (own > 0 && undoneBy(history, keys, sequence) === Undone.no) {
    const isItsId = rung === MatchRung.networkId && !hasSameId(history, root, sequence);
    if (isItsId || (own === amount && amount !== remaining)) return own;
  }
  return all === amount && amount !== remaining ? all : 0;
}

/** True when both messages have the same network id. */
function hasSameId(history: DecisionContext['history'], root: number, sequence: number): boolean {
  copyInput(history.read(root).input, ofRoot);
  return sameText(ofRoot, Text.networkId, history.read(sequence).input, Text.networkId);
}
