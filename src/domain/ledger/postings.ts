/**
 * The legs of one ledger entry, in two reused columns: what a decision about a single message posts. D positive, C negative,
 * minor units of the account's currency; the sum is zero.
 */
import { assert } from '../../errors.js';
import type { Posting } from '../events.js';

/** Purchase, cash and fee with their counter-accounts, or the mirror of it with a credit balance. */
export const POSTINGS_MAX = 12;

export class Postings {
  count = 0;
  readonly glAccount = new Uint16Array(POSTINGS_MAX);
  readonly amount = new Float64Array(POSTINGS_MAX);

  clear(): void {
    this.count = 0;
  }

  /** Adds a leg; nothing when the amount is zero. */
  add(glAccount: number, amount: number): void {
    if (amount === 0) return;
    assert(this.count < POSTINGS_MAX, 'an entry has few legs');
    this.glAccount[this.count] = glAccount;
    this.amount[this.count] = amount;
    this.count++;
  }

  /** What the legs amount to on an account of the chart, D positive. */
  on(glAccount: number): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) if (this.glAccount[i] === glAccount) sum += this.amount[i]!;
    return sum;
  }

  /** Cold paths only. */
  toList(): Posting[] {
    const legs: Posting[] = [];
    for (let i = 0; i < this.count; i++) legs.push({ glAccount: this.glAccount[i]!, amount: this.amount[i]! });
    return legs;
  }

  /** Cold paths only. */
  setAll(legs: readonly Posting[]): this {
    this.clear();
    for (const { glAccount, amount } of legs) this.add(glAccount, amount);
    return this;
  }
}
