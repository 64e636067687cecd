/** What was in suspense and is not any more: its break is none. What goes to a card is told by the shard of the card. */
import { IN_SUSPENSE } from '../domain/clearing/codes.js';
import type { ClearingPosted, EntryPosted } from '../domain/events.js';
import type { Money } from '../domain/ledger/entries.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { areOffset, heldInSuspense, takenItem } from '../domain/suspense.js';
import type { Break, Position } from './breaks.js';

/** Reasons of breaks of what is in suspense; the last two are of records of an account as well. */
const SUSPENSE_REASONS = [
  ...(['unknown_card', 'not_of_the_account', 'out_of_range', 'dispute_unknown'] as const),
  ...(['original_unknown', 'other_than_original'] as const),
] as const;
export type SuspenseReason = (typeof SUSPENSE_REASONS)[number];
const reasons: readonly string[] = SUSPENSE_REASONS;

const nameOf = ({ shard, sequence }: Position): string => `${shard}-${sequence}`;

export class ResolvedSuspense {
  /** Items that an entry took out. */
  readonly #taken = new Set<string>();
  /** What is on 1390 of each item that was read. */
  readonly #held = new Map<string, Money>();
  /** Items that take each other back, both ways. */
  readonly #partners = new Map<string, string>();

  clearing(shard: number, event: ClearingPosted): void {
    const { flags, input, sequence, relatedSequence } = event;
    if ((flags & IN_SUSPENSE) === 0) return;
    const name = nameOf({ shard, sequence });
    this.#held.set(name, heldInSuspense(event));
    if (input.reversal !== 1 || relatedSequence === 0) return;
    const original = nameOf({ shard, sequence: relatedSequence });
    this.#partners.set(name, original);
    this.#partners.set(original, name);
  }

  entry(shard: number, { entry, accountSlot, reference, relatedSequence, legs }: EntryPosted): void {
    if (entry !== EntryKind.suspenseResolved) return;
    // Without legs it only says to which card the item goes.
    if (accountSlot < 0 && legs.length > 0) this.#taken.add(nameOf({ shard, sequence: relatedSequence }));
    const item = takenItem(reference);
    if (accountSlot >= 0 && item !== undefined) this.#taken.add(nameOf(item));
  }

  /** True when nothing of the item is left: an entry took it out, or it and what takes it back leave nothing on 1390. All shards have been seen. */
  isOut(item: Position): boolean {
    const name = nameOf(item);
    if (this.#taken.has(name)) return true;
    const partner = this.#partners.get(name);
    if (partner === undefined || this.#taken.has(partner)) return false;
    const [held, other] = [this.#held.get(name), this.#held.get(partner)];
    // Of one from before the records that were read: what they do not make up for stands on 1390, and is told as that.
    return held === undefined || other === undefined || areOffset(held, other);
  }

  /** True when the break is of an item that was resolved. */
  isOf({ reason, posted }: Pick<Break, 'reason' | 'posted'>): boolean {
    return reasons.includes(reason) && posted !== undefined && this.isOut(posted);
  }
}
