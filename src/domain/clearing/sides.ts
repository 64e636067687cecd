/** The cardholder's side of a clearing record: what it charges or gives, as legs in the currency of the account. */
import { type DecisionContext, policyOf } from '../decision-context.js';
import { feesBackLegs, givenAlready, legsLeft } from '../dispute-fees.js';
import type { ClearingPosted, Posting } from '../events.js';
import { balancesBehind } from '../ledger/balances.js';
import { component, Gl } from '../ledger/chart.js';
import {
  cashSide,
  creditSide,
  creditTakenBackSide,
  disputedSide,
  mirroredSide,
  purchaseSide,
} from '../ledger/presentment.js';
import { mulDivHalfUp } from '../money.js';
import type { Policy } from '../program/policy.js';
import type { ShardState } from '../shard-state.js';
import { owedForPurchases } from '../standing.js';
import { ClearingFlag, ClearingSort } from './codes.js';
import type { ClearingInput } from './input.js';

/** The amount in a currency: as billed, else as the merchant or the network has it; -1 when none is in it. */
export function amountIn(input: ClearingInput, currency: number): number {
  if (input.billingCurrency === currency) return input.billingAmount;
  if (input.currency === currency) return input.amount;
  return input.settlementCurrency === currency ? input.settlementAmount : -1;
}

/** What of the amount, in the account's currency, is cash back: at the rate of the record; the same number where nothing is converted. */
export function cashBackIn(input: ClearingInput, cashBack: number, amount: number): number {
  if (cashBack <= 0 || input.amount <= 0) return 0;
  return Math.min(amount, mulDivHalfUp(Math.min(cashBack, input.amount), amount, input.amount));
}

/** Of a purchase with this much cash back, of cash or a credit; what was made in another currency has the mark-up of the program on top. */
export function presentedSide(
  state: ShardState,
  accountSlot: number,
  policy: Policy,
  sort: ClearingSort,
  input: ClearingInput,
  amount: number,
  cashBack: number,
): Posting[] {
  const markup = input.currency === state.accounts.currency(accountSlot) ? 0 : policy.markup(amount);
  switch (sort) {
    case ClearingSort.cash:
      return cashSide(amount, policy.cashFee(amount), markup);
    case ClearingSort.credit:
      return creditSide(amount, owedForPurchases(state, accountSlot));
    default:
      return purchaseSide(amount, markup, cashBack);
  }
}

/** Of what takes back an unknown original, or another amount than it had. */
export function takenBackSide(state: ShardState, accountSlot: number, sort: ClearingSort, amount: number): Posting[] {
  switch (sort) {
    case ClearingSort.credit:
      return creditTakenBackSide(amount, 0 - state.accounts.component(accountSlot, component(Gl.creditBalances)));
    case ClearingSort.cash:
      return creditSide(amount, state.accounts.component(accountSlot, component(Gl.cash)), Gl.cash);
    case ClearingSort.secondPresentment:
      return disputedSide(0 - amount);
    default:
      return creditSide(amount, owedForPurchases(state, accountSlot));
  }
}

/** Of what takes back a record with these legs. */
function mirroredOf({ accounts }: ShardState, accountSlot: number, legs: readonly Posting[]): Posting[] {
  return mirroredSide(legs, (glAccount) => {
    const which = component(glAccount);
    return which < 0 ? 0 : accounts.component(accountSlot, which);
  });
}

/**
 * The cardholder's side of what takes back `original`. What a dispute has left to the cardholder already does not go back once more: the
 * network's side of it is a loss less (decision 0056).
 */
export function sideBack(
  context: DecisionContext,
  event: ClearingPosted,
  original: ClearingPosted | undefined,
  amount: number,
): Posting[] {
  const { state } = context;
  const { accountSlot, sort } = event;
  if (original === undefined || (sort !== ClearingSort.purchase && sort !== ClearingSort.cash)) {
    const isMirror = original !== undefined && (event.flags & ClearingFlag.otherAmount) === 0;
    return isMirror ? mirroredOf(state, accountSlot, original.legs) : takenBackSide(state, accountSlot, sort, amount);
  }
  const already = givenAlready(context, original, amount);
  const loss = already === 0 ? [] : [{ glAccount: Gl.fraudLoss, amount: 0 - already }];
  if ((event.flags & ClearingFlag.otherAmount) === 0)
    return [...mirroredOf(state, accountSlot, legsLeft(context, original, already)), ...loss];
  // Of a part mark-up and fee go back as with any other part that does.
  const side = takenBackSide(state, accountSlot, sort, amount - already);
  const policy = policyOf(context, accountSlot);
  event.programRevision = policy.revision;
  const place = { accountSlot, cardSlot: original.cardSlot, posted: original.sequence };
  const behind = balancesBehind(state.accounts, accountSlot, side);
  return [...side, ...feesBackLegs(context, policy, place, amount - already, behind), ...loss];
}
