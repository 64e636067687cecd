/**
 * The legs of every ledger entry that is neither a message nor a presentment, as pure functions: what each event debits and
 * credits, D positive and C negative, minor units. Every list is balanced per currency and has no leg of zero.
 *
 * Two rules keep the parts of an account readable:
 *   - A credit pays the receivable that it is for down to zero and no further; the rest is a credit balance (2200).
 *   - A debit goes to the receivable of its kind, whether the account has a credit balance or not: the posted balance is the sum
 *     of both. Only what takes money out of the account (a refund of the credit balance) or ends it (a charge-off) uses 2200 up.
 */
import { assert } from '../../errors.js';
import type { EntryLeg, Posting } from '../events.js';
import { Gl } from './chart.js';

/** Receivables in the order in which a payment settles them: interest, fees, cash, purchases. */
export const WATERFALL = [Gl.interestBilled, Gl.fees, Gl.cash, Gl.purchases] as const;

/** A cardholder account as the builders see it. */
export interface AccountBalances {
  /** ISO 4217 numeric. */
  readonly currency: number;
  /** Balance of one of the account's components (chart.ts), D positive. */
  balance(glAccount: Gl): number;
}

/** An amount above zero in a currency (ISO 4217 numeric). */
export interface Money {
  readonly amount: number;
  readonly currency: number;
}

/** What is settled with a network: an amount, in the currency of a settlement's sub-account (sub-account.ts). */
export interface Settled extends Money {
  readonly sub: number;
}

class Legs {
  readonly list: EntryLeg[] = [];
  readonly #currency: number;

  constructor(currency: number) {
    this.#currency = currency;
  }

  debit(glAccount: Gl, amount: number): this {
    return this.add(glAccount, amount, this.#currency, 0);
  }

  credit(glAccount: Gl, amount: number): this {
    return this.add(glAccount, -amount, this.#currency, 0);
  }

  add(glAccount: Gl, amount: number, currency: number, sub: number): this {
    if (amount !== 0) this.list.push({ glAccount, currency, sub, amount });
    return this;
  }

  /** C a receivable down to zero, the rest C 2200. */
  pay(account: AccountBalances, receivable: Gl, amount: number): this {
    const owed = Math.min(amount, Math.max(0, account.balance(receivable)));
    return this.credit(receivable, owed).credit(Gl.creditBalances, amount - owed);
  }

  /** D (`side` 1) or C (`side` -1) 2100; where the settlement is in another currency, over the FX position (1500). */
  network({ amount, currency, sub }: Settled, own: number, side: 1 | -1): this {
    this.add(Gl.network, side * amount, currency, sub);
    if (currency === this.#currency) {
      assert(amount === own, `${own} is settled with ${amount} in the same currency`);
      return this;
    }
    return this.add(Gl.fxPosition, -side * amount, currency, 0).add(Gl.fxPosition, side * own, this.#currency, 0);
  }
}

/**
 * 12. Received: D 1310, C 2300. Applied: D 2300, C what is owed in waterfall order, then what was charged off (5300), the rest
 * in credit (2200).
 */
export function paymentLegs(account: AccountBalances, amount: number): Posting[] {
  const legs: Posting[] = [
    { glAccount: Gl.paymentsBank, amount },
    { glAccount: Gl.paymentsInTransit, amount: -amount },
    { glAccount: Gl.paymentsInTransit, amount },
  ];
  let rest = amount;
  for (const glAccount of [...WATERFALL, Gl.creditLoss]) {
    const part = Math.min(rest, Math.max(0, account.balance(glAccount)));
    if (part === 0) continue;
    legs.push({ glAccount, amount: -part });
    rest -= part;
  }
  if (rest > 0) legs.push({ glAccount: Gl.creditBalances, amount: -rest });
  return legs;
}

/**
 * 13 and the waiver of 14: the mirror of an entry in the account's currency, leg by leg. What it would take below zero since then
 * goes where such a rest belongs: a receivable that has been paid is credited as a credit balance, and a credit balance that has
 * been paid out or used is owed as purchases.
 */
export function mirrorLegs(account: AccountBalances, legs: readonly Posting[]): EntryLeg[] {
  const mirror = new Legs(account.currency);
  const receivables: readonly Gl[] = WATERFALL;
  for (const leg of legs) {
    const glAccount = leg.glAccount as Gl;
    if (receivables.includes(glAccount) && leg.amount > 0) {
      mirror.pay(account, glAccount, leg.amount);
    } else if (glAccount === Gl.creditBalances && leg.amount < 0) {
      const there = Math.min(-leg.amount, creditBalance(account));
      mirror.debit(Gl.creditBalances, there).debit(Gl.purchases, -leg.amount - there);
    } else {
      mirror.add(glAccount, -leg.amount, account.currency, 0);
    }
  }
  return mirror.list;
}

/** 14. D 1120, C 4300. */
export function feeLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.fees, amount).credit(Gl.feeIncome, amount).list;
}

/** 15, every day. D 1131, C 4200. */
export function interestAccruedLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.interestAccrued, amount).credit(Gl.interestIncome, amount).list;
}

/** 15, taken back before it is billed: D 4200, C 1131. */
export function interestWaivedLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.interestIncome, amount).credit(Gl.interestAccrued, amount).list;
}

/** 15, at the statement: all that was accrued. D 1130, C 1131. */
export function interestBilledLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.interestBilled, amount).credit(Gl.interestAccrued, amount).list;
}

/** 8. D 1200, C 1100 (excess C 2200). */
export function provisionalCreditLegs(account: AccountBalances, amount: number): EntryLeg[] {
  return new Legs(account.currency).debit(Gl.disputes, amount).pay(account, Gl.purchases, amount).list;
}

/**
 * 9. The network took the chargeback: D 2100, C 1200; interchange goes back: D 4100, C 2100, of cash D 2100, C 5400.
 * @param disputed in the account's currency @param settled what the network settles for it
 * @param interchange in the currency of the settlement; above zero what we had earned, below it (of cash) what we had paid
 */
export function chargebackLegs(disputed: Money, settled: Settled, interchange: number): EntryLeg[] {
  const { currency, sub } = settled;
  return new Legs(disputed.currency)
    .network(settled, disputed.amount, 1)
    .credit(Gl.disputes, disputed.amount)
    .add(interchangeAccount(interchange), interchange, currency, 0)
    .add(Gl.network, -interchange, currency, sub).list;
}

const interchangeAccount = (interchange: number): Gl =>
  interchange < 0 ? Gl.interchangeExpense : Gl.interchangeIncome;

/** 10. Presented again: D 1200, C 2100; interchange again: D 2100, C 4100, of cash D 5400, C 2100. Parameters as of `chargebackLegs`. */
export function secondPresentmentLegs(disputed: Money, settled: Settled, interchange: number): EntryLeg[] {
  const { currency, sub } = settled;
  return new Legs(disputed.currency)
    .debit(Gl.disputes, disputed.amount)
    .network(settled, disputed.amount, -1)
    .add(Gl.network, interchange, currency, sub)
    .add(interchangeAccount(interchange), -interchange, currency, 0).list;
}

/** 11. The cardholder owes it after all: D 1100, C 1200. */
export function disputeLostLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.purchases, amount).credit(Gl.disputes, amount).list;
}

/** 11, when the network or the merchant gave back what the cardholder keeps of a lost dispute: D 1100, C 5200. */
export function givenTwiceLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.purchases, amount).credit(Gl.fraudLoss, amount).list;
}

/** 11. Absorbed: D 5200, C 1200. */
export function disputeWrittenOffLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.fraudLoss, amount).credit(Gl.disputes, amount).list;
}

/** 16. The network takes a fee: D 5100, C 2100; or gives one (an amount below zero): the other way. */
export function networkFeeLegs({ amount, currency, sub }: Settled): EntryLeg[] {
  return new Legs(currency).debit(Gl.networkFees, amount).add(Gl.network, -amount, currency, sub).list;
}

/**
 * 17. D 2100, C 1300 for what was paid (below zero: for what came in); a rounding difference goes to 5900 so that the sub-account
 * ends at zero.
 * @param rounding what the sub-account owed beyond what was paid; zero leaves the difference open
 */
export function settlementLegs({ amount, currency, sub }: Settled, rounding: number): EntryLeg[] {
  return new Legs(currency)
    .add(Gl.network, amount + rounding, currency, sub)
    .credit(Gl.settlementBank, amount)
    .credit(Gl.rounding, rounding).list;
}

/** 18. A presentment in suspense is lost: D 5200, C 1390. One that gave something (an amount below zero): the other way. */
export function suspenseLostLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.fraudLoss, amount).credit(Gl.suspense, amount).list;
}

/**
 * 18. The network takes back what is in suspense: the mirror of its entry, interchange too.
 * @param sub sub-account of the settlement in which it does; 0: that of the record
 */
export function suspenseReturnedLegs(legs: readonly EntryLeg[], sub: number): EntryLeg[] {
  return legs.map((leg) => ({
    ...leg,
    amount: 0 - leg.amount,
    sub: leg.glAccount === Gl.network && sub > 0 ? sub : leg.sub,
  }));
}

/** What of the account's credit balance is there, from zero. */
export const creditBalance = (account: AccountBalances): number => Math.max(0, -account.balance(Gl.creditBalances));

/** What may be paid out: the credit balance, less what is owed beside it. */
export function refundable(account: AccountBalances): number {
  const owed = WATERFALL.reduce((sum, glAccount) => sum + Math.max(0, account.balance(glAccount)), 0);
  return Math.max(0, creditBalance(account) - owed);
}

/** 19. D 2200, C 1310. */
export function creditBalanceRefundedLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.creditBalances, amount).credit(Gl.paymentsBank, amount).list;
}

/**
 * 20. All that is owed becomes a loss, after what the account has in credit: D 5300 (and 2200), C 1100 to 1130. Interest that was
 * accrued and not billed is taken back: D 4200, C 1131.
 * @returns no legs when nothing is owed
 */
export function chargeOffLegs(account: AccountBalances): EntryLeg[] {
  const owed = WATERFALL.map((glAccount) => ({ glAccount, amount: Math.max(0, account.balance(glAccount)) }));
  const credit = creditBalance(account);
  const loss = owed.reduce((sum, { amount }) => sum + amount, 0) - credit;
  if (loss <= 0) return [];
  const legs = new Legs(account.currency).debit(Gl.creditLoss, loss).debit(Gl.creditBalances, credit);
  for (const { glAccount, amount } of owed) legs.credit(glAccount, amount);
  const accrued = account.balance(Gl.interestAccrued);
  assert(accrued >= 0, `an account has accrued interest of ${accrued}`);
  return legs.debit(Gl.interestIncome, accrued).credit(Gl.interestAccrued, accrued).list;
}

/** 20. Money for what was charged off: D 1310, C 5300. */
export function recoveryLegs({ amount, currency }: Money): EntryLeg[] {
  return new Legs(currency).debit(Gl.paymentsBank, amount).credit(Gl.creditLoss, amount).list;
}
