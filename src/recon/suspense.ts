/** What was in suspense and is not any more: its break is none. What goes to a card is told by the shard of the card. */
import { IN_SUSPENSE } from '../domain/clearing/codes.js';
import type { ClearingPosted, EntryPosted } from '../domain/events.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { takenItem } from '../domain/suspense.js';
import type { Break } from './breaks.js';

/** Reasons of breaks of what is in suspense. */
const SUSPENSE_REASONS = ['unknown_card', 'not_of_the_account', 'out_of_range', 'dispute_unknown'] as const;
export type SuspenseReason = (typeof SUSPENSE_REASONS)[number];
const reasons: readonly string[] = SUSPENSE_REASONS;

const name = (shard: number, sequence: number): string => `${shard}-${sequence}`;

export class ResolvedSuspense {
  readonly #items = new Set<string>();

  /** An item and what takes it back in suspense settle each other. */
  clearing(shard: number, { flags, input, sequence, relatedSequence }: ClearingPosted): void {
    if ((flags & IN_SUSPENSE) === 0 || input.reversal !== 1 || relatedSequence === 0) return;
    this.#items.add(name(shard, sequence));
    this.#items.add(name(shard, relatedSequence));
  }

  entry(shard: number, { entry, accountSlot, reference, relatedSequence, legs }: EntryPosted): void {
    if (entry !== EntryKind.suspenseResolved) return;
    // Without legs it only says to which card the item goes.
    if (accountSlot < 0 && legs.length > 0) this.#items.add(name(shard, relatedSequence));
    const item = takenItem(reference);
    if (accountSlot >= 0 && item !== undefined) this.#items.add(name(item.shard, item.sequence));
  }

  /** True when the break is of an item that was resolved. */
  isOf({ reason, posted }: Pick<Break, 'reason' | 'posted'>): boolean {
    return reasons.includes(reason) && posted !== undefined && this.#items.has(name(posted.shard, posted.sequence));
  }
}
