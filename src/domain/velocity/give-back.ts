/**
 * Give-backs: a reversal, an expiry or an approval that was not delivered takes back from the very buckets that its
 * original counted in. What is past gets nothing back: the purchase of yesterday that is cancelled today leaves today's
 * limit as it is.
 *
 * An authorization that was increased has several originals: each element counted at its own time. Whoever releases such an
 * authorization gives back element by element, the newest first, until the released amount is used up.
 */
import type { CounterChanges } from './counter-changes.js';
import type { VelocityTable } from './velocity-table.js';

/**
 * Adds to `out` what an element gives back when its authorized amount goes from `before` to `after`, 0 <= after <= before.
 * Call `out.sort()` when everything is in.
 *
 * @param original what the element counted, from its record; `originSequence` is that of its record.
 * @param before minor units of the account's currency, and `after`: what of the element stays authorized. A cash part is
 *   the last to go: a purchase of 50 with 20 cash back that is reversed down to 30 gives 20 back, and no cash.
 * @param undone true when nothing of the authorization is left and nothing of it was cleared: then the count goes back too.
 */
export function giveBack(
  table: VelocityTable,
  original: CounterChanges,
  originSequence: number,
  before: number,
  after: number,
  undone: boolean,
  out: CounterChanges,
): void {
  for (let i = 0; i < original.count; i++) {
    const counted = original.amount[i]!;
    const amount = Math.min(counted, before) - Math.min(counted, after);
    const uses = undone ? original.uses[i]! : 0;
    if (amount <= 0 && uses <= 0) continue;
    const owner = original.owner[i]!;
    const key = original.key[i]!;
    const bucket = original.bucket[i]!;
    if (table.takesBack(owner, key, bucket, originSequence)) out.merge(owner, key, bucket, 0 - amount, 0 - uses);
  }
}
