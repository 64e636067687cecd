/** How what is in suspense leaves it (suspense.ts). */
import { ClearingSort } from './clearing/codes.js';
import { isCreditRecord } from './clearing/input.js';
import { amountIn, cashBackIn, presentedSide, takenBackSide } from './clearing/sides.js';
import type { CommandResult } from './commands.js';
import { refuse } from './commit.js';
import type { ResolveSuspense, TakeFromSuspense } from './entry-commands.js';
import type { Desk } from './entry-desk.js';
import type { Posting } from './events.js';
import { suspenseLostLegs, suspenseReturnedLegs } from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { outOfSuspenseLegs, purchaseSide } from './ledger/presentment.js';
import { amountText, isAmount } from './money.js';
import { heldInSuspense, resolvedReference, suspenseAt, suspenseState, takenReference } from './suspense.js';

export function resolveSuspense(desk: Desk, { sequence, to, card, sub, note }: ResolveSuspense): CommandResult {
  const item = suspenseAt(desk.context, sequence);
  if (item === undefined) return refuse('entry_not_found', `nothing at sequence ${sequence} is in suspense`);
  const { resolved, offset } = suspenseState(desk.context, item);
  if (resolved > 0 || offset) return refuse('already_resolved', 'it is not in suspense any more');
  const draft = {
    ...{ entry: EntryKind.suspenseResolved, accountSlot: -1 },
    ...{ reference: resolvedReference(sequence), relatedSequence: sequence },
  };
  // The entry of the account that it goes to has the legs, and the note.
  if (to === 'card') return { ok: true, sequence: desk.post({ ...draft, legs: [], note: card }) };
  const legs = to === 'loss' ? suspenseLostLegs(heldInSuspense(item)) : suspenseReturnedLegs(item.legs, sub);
  return { ok: true, sequence: desk.post({ ...draft, legs, note }) };
}

export function takeFromSuspense(desk: Desk, command: TakeFromSuspense): CommandResult {
  const { cards, accounts } = desk.state;
  const { cardSlot, shard, sequence, input, held, note, dry } = command;
  if (!cards.exists(cardSlot)) return refuse('card_not_found', 'there is no such card');
  const accountSlot = cards.account(cardSlot);
  const entry = EntryKind.suspenseResolved;
  const reference = takenReference(shard, sequence);
  if (desk.isPosted(entry, accountSlot, reference)) return refuse('reference_exists', 'it was posted before');
  const currency = accounts.currency(accountSlot);
  const named = amountIn(input, currency);
  if (command.amount > 0 && named >= 0 && command.amount !== named)
    return refuse('suspense_amount', `the record names ${named} in currency ${currency}`);
  const amount = command.amount > 0 ? command.amount : named;
  if (amount < 0) return refuse('currency_mismatch', `the record names no amount in currency ${currency}`);
  if (!isAmount(amount, 0)) return refuse('amount_out_of_range', amountText('the amount', amount, 0));
  const legs = outOfSuspenseLegs(takenSide(desk, accountSlot, command, amount), currency, held);
  const wrong = desk.outOfRange(accountSlot, legs);
  if (wrong !== undefined) return wrong;
  if (dry) return { ok: true, sequence: 0 };
  return desk.answer({ entry, accountSlot, reference, legs, cardSlot, note });
}

/** The cardholder's side of a record that found its card late. */
function takenSide(
  { state, context }: Desk,
  accountSlot: number,
  { sort, input }: TakeFromSuspense,
  amount: number,
): Posting[] {
  // What is presented again has no dispute here: it is owed, or of a credit given, as it would have been at first, and without fees.
  const isAgain = sort === ClearingSort.secondPresentment;
  const first = !isAgain ? sort : isCreditRecord(input) ? ClearingSort.credit : ClearingSort.purchase;
  if (input.reversal === 1) return takenBackSide(state, accountSlot, first, amount);
  if (isAgain && first === ClearingSort.purchase) return purchaseSide(amount, 0);
  const policy = context.policies.of(state.accounts.program(accountSlot));
  return presentedSide(state, accountSlot, policy, first, input, amount, cashBackIn(input, input.cashBack, amount));
}
