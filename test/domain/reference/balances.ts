/** Accounts, what they owe and what is held of them: added up from every charge and every hold that is open. */
import {
  type Charged,
  type Entry,
  type Hold,
  type Kept,
  type ModelAccount,
  type ModelCard,
  type ModelToken,
  NOTHING,
  netOf,
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

  /** What disputes of an authorization have left to the cardholder, by its sequence. Only auditors tell it. */
  readonly kept = new Map<number, Kept>();
  /** What messages have moved of the loss by disputes, over all accounts: from 0 down. */
  loss = 0;
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
    const { purchases, cash, loss } = this.chargedFor(root);
    const posted = purchases + cash + loss;
    return this.holds.get(root.sequence)?.authorized ?? posted + (this.presented.get(root.sequence) ?? 0);
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
    this.loss += now.loss - before.loss;
    this.charged.set(root.sequence, now);
    entry.chargedAfter = netOf(now);
  }

  /** A credit goes against what is owed for purchases first. */
  creditOf(root: Entry, account: ModelAccount, amount: number): Charged {
    const given = Math.min(0, this.chargedFor(root).purchases);
    const owed = Math.max(0, account.owes.purchases) - given;
    const purchases = Math.min(amount, owed);
    return { ...NOTHING, purchases: -purchases, credit: -(amount - purchases) };
  }

  /** A debit that becomes `now`: what had become a loss less is charged by the network again first, and the cardholder keeps it. */
  raised(before: Charged, now: Charged): Charged {
    const lack = before.loss < 0 ? Math.max(0, before.purchases + before.cash - now.purchases - now.cash) : 0;
    return { ...now, purchases: now.purchases + lack, loss: 0 - lack };
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
 * falls by what the cash that goes back costs, and goes with the last cent. What disputes have left to the cardholder does not go back
 * once more.
 * @param part that is taken back, of several
 */
export function reducedBy(
  before: Charged,
  back: number,
  feeOf: (cash: number) => number,
  kept?: Kept,
  part = 0,
): Charged {
  if (netOf(before) < 0) {
    const credit = Math.min(back, -before.credit);
    return { ...NOTHING, purchases: before.purchases + (back - credit), credit: before.credit + credit };
  }
  if (back <= 0) return before;
  const charged = before.purchases + before.cash;
  const borne = Math.max(0, charged - (kept?.amount ?? 0));
  const ofPart = Math.min(back, kept?.ofPart.get(part) ?? 0);
  const given = Math.min(back - ofPart, borne);
  const purchases = Math.min(given, before.purchases);
  const feeBefore = before.fee - (kept?.fee ?? 0);
  const isAll = given === borne;
  const cheaper = feeOf(Math.min(before.cash, borne)) - feeOf(Math.min(before.cash, borne - given));
  const fee = isAll ? 0 : Math.max(0, feeBefore - Math.max(0, cheaper));
  return {
    purchases: before.purchases - purchases,
    cash: before.cash - (given - purchases),
    fee: before.fee > 0 ? (kept?.fee ?? 0) + fee : 0,
    credit: 0,
    loss: before.loss - (back - given),
  };
}
