/**
 * Clearing records in suspense (1390), and how they leave it: to the account of a card, as a loss, or back to the network. An item is
 * resolved once: the entry that says so stands in the shard of the record, under a reference of its own. What goes to a card is posted
 * by another entry, in the shard of the card, whose reference names the item: the books of both shards add up.
 */

import { IN_SUSPENSE } from './clearing/codes.js';
import { clearingAt, relatedTo } from './clearing/history.js';
import type { CommandContext } from './commit.js';
import type { ClearingPosted } from './events.js';
import { entryHash } from './key-hash.js';
import { Gl } from './ledger/chart.js';
import type { Money } from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';

type Past = Pick<CommandContext, 'state' | 'history' | 'keys'>;

/** No reference of a caller has a blank. */
export const resolvedReference = (sequence: number): string => `suspense ${sequence}`;
export const takenReference = (shard: number, sequence: number): string => `suspense ${shard}-${sequence}`;
const TAKEN = /^suspense (\d+)-(\d+)$/;

/** The item that an entry has taken to an account; undefined of another entry. */
export function takenItem(reference: string): { shard: number; sequence: number } | undefined {
  const parts = TAKEN.exec(reference);
  return parts === null ? undefined : { shard: Number(parts[1]), sequence: Number(parts[2]) };
}

/** How an item stands in its shard. */
export interface SuspenseState {
  readonly sequence: number;
  /** Sequence of the entry that resolved it; 0 for none. */
  readonly resolved: number;
  /** Nothing is left of it: what takes it back, or what it takes back, is in suspense too. */
  readonly offset: boolean;
}

/** The clearing record at a sequence when it went to suspense. */
export function suspenseAt({ history }: Pick<Past, 'history'>, sequence: number): ClearingPosted | undefined {
  const event = clearingAt(history, sequence);
  return event !== undefined && (event.flags & IN_SUSPENSE) !== 0 ? event : undefined;
}

/** What of it is on 1390, D positive; a credit, or what takes a charge back, is below zero. */
export function heldInSuspense({ legs, input }: Pick<ClearingPosted, 'legs' | 'input'>): Money {
  const leg = legs.find(({ glAccount }) => glAccount === Gl.suspense);
  return { amount: leg?.amount ?? 0, currency: leg?.currency ?? input.currency };
}

/** True when an item and what takes it back leave nothing on 1390. */
export const areOffset = (a: Money, b: Money): boolean => a.currency === b.currency && a.amount + b.amount === 0;

export function suspenseState(past: Past, event: ClearingPosted): SuspenseState {
  const { sequence } = event;
  const resolved = resolutionOf(past, sequence);
  const partner = partnerOf(past, event);
  const offset =
    resolved === 0 &&
    partner !== undefined &&
    resolutionOf(past, partner.sequence) === 0 &&
    areOffset(heldInSuspense(partner), heldInSuspense(event));
  return { sequence, resolved, offset };
}

function resolutionOf({ state }: Past, sequence: number): number {
  const name = { entry: EntryKind.suspenseResolved, accountSlot: -1, reference: resolvedReference(sequence) };
  const { high, low } = entryHash(name);
  return Math.max(0, state.references.find(high, low));
}

/** What the record takes back, or what takes it back, in suspense. */
function partnerOf(past: Past, { sequence, input, relatedSequence }: ClearingPosted): ClearingPosted | undefined {
  if (input.reversal === 1) return relatedSequence === 0 ? undefined : suspenseAt(past, relatedSequence);
  return relatedTo(past.history, past.keys, sequence).find(
    (one) => one.relatedSequence === sequence && one.input.reversal === 1 && (one.flags & IN_SUSPENSE) !== 0,
  );
}
