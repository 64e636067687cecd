/** The cardholder's side of a clearing record: what it charges or gives, as legs in the currency of the account. */
import type { Posting } from '../events.js';
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
import { ClearingSort } from './codes.js';
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
export function mirroredOf({ accounts }: ShardState, accountSlot: number, legs: readonly Posting[]): Posting[] {
  return mirroredSide(legs, (glAccount) => {
    const which = component(glAccount);
    return which < 0 ? 0 : accounts.component(accountSlot, which);
  });
}
