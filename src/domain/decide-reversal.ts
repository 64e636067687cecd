/**
 * Reversals (0400, 0420) behind the duplicate check, and the roll-back of an approval that was not delivered.
 *
 * A reversal is always accepted. Full: everything that remains is released. Partial (DE95 above zero): DE95 is what stays
 * authorized, so the authorized total becomes the smaller of the two and never grows, and the hold keeps what of it has
 * not been cleared. Without an original it stands as a tombstone against the late original.
 *
 * In the event of a reversal `approvedAmount` is the authorized total *after* it, in the account's currency: 0 = the
 * authorization is fully reversed.
 */

import { AMOUNT_MAX } from '../limits.js';
import { ElementKind, EventKind, Response, Step, Verdict } from './codes.js';
import type { MessageEvent, NotDelivered } from './events.js';
import type { History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { findOriginal, isApproval, isRolledBack } from './lookups.js';
import { mulDivHalfUp } from './money.js';
import { inMerchantCurrency } from './reply-facts.js';
import type { ShardState } from './shard-state.js';

/** Decides the reversal in `out`, whose head is filled. */
export function decideReversal(state: ShardState, history: History, keys: IndexKeys, out: MessageEvent): void {
  out.response = Response.approved;
  const sequence = findOriginal(history, keys, out);
  if (sequence === 0) {
    out.verdict(Step.original, Verdict.notFound);
    out.tombstone = 1;
    return;
  }
  out.verdict(Step.original, Verdict.matched);
  out.originalSequence = sequence;
  const slot = state.holds.find(sequence);
  if (slot < 0) return;
  const authorized = state.holds.authorized(slot);
  const remaining = state.holds.remaining(slot);
  const total = out.input.replacementAmount > 0 ? Math.min(authorized, stays(state, history.read(sequence), out)) : 0;
  const cleared = authorized - remaining;
  const kept = Math.max(0, total - cleared);
  out.approvedAmount = total;
  out.authorizedAfter = total;
  out.holdDelta = kept - remaining;
}

/**
 * DE95 in the account's currency, at the rate of the original; half a minor unit is rounded up. It is compared with the
 * approved DE4 first, in the currency that both are in: an approved DE4 is rounded down, so its way back would give less than
 * what is held, and a reversal down to just what was approved must change nothing.
 */
function stays(state: ShardState, original: MessageEvent, out: MessageEvent): number {
  const { replacementAmount } = out.input;
  const { amount, billingAmount, currency } = original.input;
  if (currency === state.accounts.currency(original.accountSlot)) return replacementAmount;
  if (replacementAmount >= inMerchantCurrency(original.input, original.approvedAmount)) return AMOUNT_MAX;
  return mulDivHalfUp(replacementAmount, billingAmount, amount);
}

/**
 * The roll-back of the approval at `sequence`, whose reply could not be sent in time: to be appended and applied.
 * `undefined` when there is nothing to roll back: no approval, or rolled back already.
 */
export function decideNotDelivered(
  state: ShardState,
  history: History,
  keys: IndexKeys,
  sequence: number,
  nowMs: number,
): NotDelivered | undefined {
  if (!history.isMessage(sequence) || isRolledBack(history, keys, sequence)) return undefined;
  const { element, response, accountSlot, cardSlot } = history.read(sequence);
  if (element === ElementKind.reversal || !isApproval(response)) return undefined;
  const hold = state.holds.find(sequence);
  return {
    kind: EventKind.notDelivered,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    originalSequence: sequence,
    authorizationSequence: sequence,
    authorizedAfter: 0,
    postings: [],
    changes: new Uint8Array(0),
    holdDelta: hold < 0 ? 0 : 0 - state.holds.remaining(hold),
    previousOfAccount: state.accounts.newest(accountSlot),
    previousOfCard: state.cards.newest(cardSlot),
  };
}
