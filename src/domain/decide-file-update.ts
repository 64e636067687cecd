/**
 * File updates (0302): the network puts a card on or off a list. DE91 says what to do (1 add, 2 change, 3 delete), the first
 * two digits of DE127 how the card is to be answered from now on; a closed, lost or stolen card stays what it is (21), and an
 * unknown one is not found (25).
 *
 * A listing is a cause of its own beside the card's own status: taking it off ends the listing and neither a pause that the issuer
 * set nor the wait for activation; and the issuer's "active" does not take the network's listing off.
 */
import { CardStatus, isFinalStatus, Reason, Response, Step, Verdict } from './codes.js';
import type { MessageEvent } from './events.js';
import { decline } from './outcome.js';
import type { ShardState } from './shard-state.js';

const ADD = '1'.charCodeAt(0);
const CHANGE = '2'.charCodeAt(0);
const DELETE = '3'.charCodeAt(0);

/** Status by the action code of a listing; without a code the card is restricted. */
const statusOfAction: Readonly<Record<number, CardStatus>> = {
  [-1]: CardStatus.paused,
  4: CardStatus.paused,
  5: CardStatus.paused,
  36: CardStatus.paused,
  41: CardStatus.lost,
  43: CardStatus.stolen,
  46: CardStatus.closed,
  54: CardStatus.expired,
  62: CardStatus.paused,
};

/** Decides the file update in `out`, whose head is filled. */
export function decideFileUpdate(state: ShardState, out: MessageEvent): void {
  const { input, cardSlot } = out;
  if (cardSlot < 0) {
    out.verdict(Step.cardKnown, Verdict.fail);
    decline(out, Response.recordNotFound, Reason.unknownCard);
    return;
  }
  out.verdict(Step.cardKnown, Verdict.pass);
  // A listed token is listed alone: its card goes on.
  const listed = out.tokenSlot >= 0 ? out.tokenSlot : cardSlot;
  const own = state.cards.ownStatus(listed);
  const wanted = input.fileAction === DELETE ? CardStatus.active : statusOfAction[input.fileCode]!;
  // Active stands for no listing.
  const now = isFinalStatus(wanted) ? own : state.cards.listing(listed) || CardStatus.active;
  if (isFinalStatus(own) && wanted !== own) {
    out.verdict(Step.cardStatus, Verdict.fail);
    decline(out, Response.noActionTaken, Reason.cardStatusFinal);
    return;
  }
  out.verdict(Step.cardStatus, Verdict.pass);
  out.response = Response.approved;
  if (wanted !== now) out.cardStatusAfter = wanted;
}

/** Number of the field that does not say what to do, 0 when both do. */
export function badListingField({ input }: MessageEvent): number {
  const { fileAction } = input;
  if (fileAction === DELETE) return 0;
  if (fileAction !== ADD && fileAction !== CHANGE) return 91;
  return statusOfAction[input.fileCode] === undefined ? 127 : 0;
}
