/**
 * File updates (0302): the network puts a card on or off a list. DE91 says what to do (1 add, 2 change, 3 delete), the first
 * two digits of DE127 how the card is to be answered from now on; a closed, lost or stolen card stays what it is (21), and an
 * unknown one is not found (25).
 */
import { CardStatus, Reason, Response, Step, Verdict } from './codes.js';
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

const isFinal = (status: number): boolean =>
  status === CardStatus.lost || status === CardStatus.stolen || status === CardStatus.closed;

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
  const now = state.cards.status(out.tokenSlot >= 0 ? out.tokenSlot : cardSlot);
  const wanted = input.fileAction === DELETE ? CardStatus.active : statusOfAction[input.fileCode]!;
  // A card that was not activated yet declines anyway: a listing that can be lifted again must not end in its activation.
  const same = wanted === now || (now === CardStatus.inactive && !isFinal(wanted));
  if (isFinal(now) && wanted !== now) {
    out.verdict(Step.cardStatus, Verdict.fail);
    decline(out, Response.noActionTaken, Reason.cardStatusFinal);
    return;
  }
  out.verdict(Step.cardStatus, Verdict.pass);
  out.response = Response.approved;
  if (!same) out.cardStatusAfter = wanted;
}

/** Number of the field that does not say what to do, 0 when both do. */
export function badListingField({ input }: MessageEvent): number {
  const { fileAction } = input;
  if (fileAction === DELETE) return 0;
  if (fileAction !== ADD && fileAction !== CHANGE) return 91;
  return statusOfAction[input.fileCode] === undefined ? 127 : 0;
}
