/** Accounts, what they owe and what is held of them: added up from every charge and every hold that is open. */
import {
  type Charged,
  type Entry,
  type Hold,
  type ModelAccount,
  type ModelCard,
  type ModelToken,
  NOTHING,
} from './entry.js';

export class Balances {
  readonly accounts = new Map<string, ModelAccount>();
  readonly cards = new Map<string, ModelCard>();
  readonly tokens = new Map<string, ModelToken>();
  /** Open holds, and what single messages charged, by the sequence of their authorization. */
  readonly #holds = new Map<number, Hold>();
  readonly #holdsOf = new Map<ModelAccount, Set<Hold>>();
  readonly charged = new Map<number, Charged>();
  /** What clearing records charged for an authorization, by its sequence. The model decides none; auditors tell it. */
  readonly presented = new Map<number, number>();

  /** The end that the hold of an authorization had when it closed. */
  readonly ends = new Map<number, number>();

  get holds(): ReadonlyMap<number, Hold> {
    return this.#holds;
  }

  /** The card that a number means: its own, or that of the token. */
  cardOf(number: string): string {
    return this.tokens.get(number)?.card ?? number;
  }

  isKnown(number: string): boolean {
    return this.cards.has(this.cardOf(number));
  }

  /** YYMM on what carries the number. */
  expiryOf(number: string): number | undefined {
    return (this.tokens.get(number) ?? this.cards.get(number))?.expiry;
  }

  held(account: ModelAccount): number {
    let sum = 0;
    for (const hold of this.holdsOf(account)) sum += hold.remaining;
    return sum;
  }

  posted({ owes }: ModelAccount): number {
    return owes.purchases + owes.cash + owes.fees + owes.interest + owes.credit;
  }

  available(account: ModelAccount): number {
    return account.limit - this.posted(account) - this.held(account);
  }

  /** @param cleared what of the amount is posted already */
  open(sequence: number, account: ModelAccount, amount: number, expiresMs: number, refund = false, cleared = 0): void {
    const remaining = refund ? 0 : amount - cleared;
    const hold = { account, first: amount, authorized: amount, remaining, cleared, expiresMs, refund };
    this.#holds.set(sequence, hold);
    const others = this.#holdsOf.get(account);
    if (others) others.add(hold);
    else this.#holdsOf.set(account, new Set([hold]));
  }

  close(sequence: number): void {
    const hold = this.#holds.get(sequence);
    if (hold) {
      this.#holdsOf.get(hold.account)!.delete(hold);
      this.ends.set(sequence, hold.expiresMs);
    }
    this.#holds.delete(sequence);
  }

  holdsOf(account: ModelAccount): Iterable<Hold> {
    return this.#holdsOf.get(account) ?? [];
  }

  /** What is authorized now; what was cleared stays, and a hold of nothing is none. */
  set(sequence: number, total: number): void {
    const hold = this.holds.get(sequence)!;
    hold.authorized = Math.max(total, hold.cleared);
    hold.remaining = hold.refund ? 0 : hold.authorized - hold.cleared;
    if (hold.authorized === 0) this.close(sequence);
  }

  /** What stays of an authorization: what is authorized by its hold, or what was charged without one. */
  total(root: Entry): number {
    const { purchases, cash } = this.chargedFor(root);
    return this.holds.get(root.sequence)?.authorized ?? purchases + cash + (this.presented.get(root.sequence) ?? 0);
  }

  chargedFor(root: Entry | undefined): Charged {
    return (root && this.charged.get(root.sequence)) ?? NOTHING;
  }

  /** Brings what is charged for the authorization of an entry to `now`. */
  charge(entry: Entry, now: Charged): void {
    const root = entry.original ?? entry;
    const { account } = this.cards.get(entry.card)!;
    const before = this.chargedFor(root);
    account.owes.purchases += now.purchases - before.purchases;
    account.owes.cash += now.cash - before.cash;
    account.owes.fees += now.fee - before.fee;
    account.owes.credit += now.credit - before.credit;
    this.charged.set(root.sequence, now);
    entry.chargedAfter = now.purchases + now.cash + now.credit;
  }

  /** A credit goes against what is owed for purchases first. */
  creditOf(root: Entry, account: ModelAccount, amount: number): Charged {
    const given = Math.min(0, this.chargedFor(root).purchases);
    const owed = Math.max(0, account.owes.purchases) - given;
    const purchases = Math.min(amount, owed);
    return { purchases: -purchases, cash: 0, fee: 0, credit: -(amount - purchases) };
  }

  /** A payment settles interest, fees, cash and purchases in this order; the rest is the cardholder's credit. */
  pay({ owes }: ModelAccount, amount: number): void {
    let rest = amount;
    for (const kind of ['interest', 'fees', 'cash', 'purchases'] as const) {
      const part = Math.min(rest, Math.max(0, owes[kind]));
      owes[kind] -= part;
      rest -= part;
    }
    owes.credit -= rest;
  }
}

/**
 * What stays charged when `back` is taken back: purchases before cash, of a refund the credit balance first. The fee of cash
 * falls by what the cash that goes back costs, and goes with the last cent.
 */
export function reducedBy(before: Charged, back: number, left: number, feeOf: (cash: number) => number): Charged {
  if (before.purchases + before.cash + before.credit >= 0) {
    const purchases = Math.min(back, before.purchases);
    const cash = before.cash - (back - purchases);
    const cheaper = feeOf(before.cash) - feeOf(cash);
    const fee = left === 0 ? 0 : Math.max(0, before.fee - cheaper);
    return { purchases: before.purchases - purchases, cash, fee, credit: 0 };
  }
  const credit = Math.min(back, -before.credit);
  return { purchases: before.purchases + (back - credit), cash: 0, fee: 0, credit: before.credit + credit };
}
