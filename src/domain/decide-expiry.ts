/**
 * The end of a hold's life: what remains of it is released, whatever became of the rest. It cannot be taken back, and the
 * network is not told. The authorization stays matchable (MATCHABLE_MS): a late reversal finds nothing to release.
 *
 * What is due is a matter of shard time and of the order (end, sequence) alone, so two shards with the same history expire
 * the same holds in the same order; how many of them in one turn is the host's business and changes nothing of it.
 */
import { EventKind } from './codes.js';
import { packedGiveBack } from './decide-reversal.js';
import type { DecisionContext } from './decision-context.js';
import type { HoldExpired } from './events.js';
import { HoldFlag } from './hold-table.js';
import type { ShardState } from './shard-state.js';

const NOTHING = new Uint8Array(0);

/** An expiry to be filled by `decideExpiry`. */
export function newExpiry(): HoldExpired {
  return {
    kind: EventKind.holdExpired,
    sequence: 0,
    timeMs: 0,
    accountSlot: 0,
    cardSlot: 0,
    originalSequence: 0,
    authorizedAfter: 0,
    holdDelta: 0,
    changes: NOTHING,
    previousOfAccount: 0,
    previousOfCard: 0,
  };
}

/** Slot of the hold that is due first at `untilMs` (inclusive), -1 when none is. */
export function firstDue({ holds }: ShardState, untilMs: number): number {
  const slot = holds.earliest();
  return slot >= 0 && holds.expiresMs(slot) <= untilMs ? slot : -1;
}

/**
 * Decides the end of the hold in this slot, in `out`. What counted in velocity windows gives back what was not cleared; that is
 * read from the records of the authorization, so it is done only where something was counted.
 */
export function decideExpiry(
  context: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  slot: number,
  out: HoldExpired,
): void {
  const { holds, accounts, cards } = context.state;
  out.accountSlot = holds.account(slot);
  out.cardSlot = holds.card(slot);
  out.originalSequence = holds.sequence(slot);
  out.authorizedAfter = holds.cleared(slot);
  out.holdDelta = 0 - holds.remaining(slot);
  const counted = (holds.flags(slot) & HoldFlag.counted) !== 0;
  out.changes = counted ? packedGiveBack(context, out.originalSequence, out.authorizedAfter) : NOTHING;
  out.previousOfAccount = accounts.newest(out.accountSlot);
  out.previousOfCard = cards.newest(out.cardSlot);
}
