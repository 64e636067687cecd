/**
 * Legs of what a clearing record posts, event by event. Two sides that meet: what the cardholder is charged or given, in the
 * currency of the account, and what is owed to the network, in that of the settlement. Where they differ, the FX position takes
 * the difference, so that each currency balances by itself.
 *
 * Amounts are minor units, positive where the cardholder pays; a credit or a reversal has them negative.
 */
import type { EntryLeg, Posting } from '../events.js';
import { addMoney } from '../money.js';
import { Gl } from './chart.js';

/** What is owed to the network. */
export interface Owed {
  amount: number;
  currency: number;
  /** Sub-account of the settlement, 0 for none. */
  sub: number;
}

/** An interchange fee: positive to us. */
export interface Interchange {
  amount: number;
  currency: number;
}

/** A purchase, with a mark-up on its conversion that is ours. @param cash what of the amount is cash back */
export function purchaseSide(amount: number, markup: number, cash = 0): Posting[] {
  return [
    { glAccount: Gl.purchases, amount: amount - cash },
    { glAccount: Gl.cash, amount: cash },
    { glAccount: Gl.purchases, amount: markup },
    { glAccount: Gl.fxMarkup, amount: 0 - markup },
  ];
}

/** A cash advance with its fee. */
export function cashSide(amount: number, fee: number, markup: number): Posting[] {
  return [
    { glAccount: Gl.cash, amount },
    { glAccount: Gl.fees, amount: fee },
    { glAccount: Gl.feeIncome, amount: 0 - fee },
    { glAccount: Gl.cash, amount: markup },
    { glAccount: Gl.fxMarkup, amount: 0 - markup },
  ];
}

/** A credit of `amount` (above zero): against what is owed of a receivable, from zero, the excess into the credit balance. */
export function creditSide(amount: number, owed: number, receivable: Gl = Gl.purchases): Posting[] {
  const against = Math.min(amount, Math.max(0, owed));
  return [
    { glAccount: receivable, amount: 0 - against },
    { glAccount: Gl.creditBalances, amount: 0 - (amount - against) },
  ];
}

/** A credit of `amount` (above zero) that is taken back, of which we do not know how it was posted. */
export function creditTakenBackSide(amount: number, creditBalance: number): Posting[] {
  const from = Math.min(amount, Math.max(0, creditBalance));
  return [
    { glAccount: Gl.creditBalances, amount: from },
    { glAccount: Gl.purchases, amount: amount - from },
  ];
}

/** What is presented again after a chargeback stays disputed. */
export function disputedSide(amount: number): Posting[] {
  return [{ glAccount: Gl.disputes, amount }];
}

/** Accounts of the cardholder's side, which a reversal mirrors; the network's side is as the reversal itself says. */
const ofCardholder: readonly number[] = [
  Gl.purchases,
  Gl.cash,
  Gl.fees,
  Gl.disputes,
  Gl.creditBalances,
  Gl.feeIncome,
  Gl.fxMarkup,
];

const receivables: readonly number[] = [Gl.purchases, Gl.cash, Gl.fees];

/**
 * The mirror of the cardholder's side of an entry. A receivable that was paid since is credited down to zero, and the rest is a credit
 * balance; of a credit balance that was used since the rest is owed as purchases.
 * @param balanceOf balance of a component of the account now, D positive
 */
export function mirroredSide(legs: readonly Posting[], balanceOf: (glAccount: number) => number): Posting[] {
  const now = new Map<number, number>();
  const side: Posting[] = [];
  const add = (glAccount: number, amount: number): void => {
    now.set(glAccount, (now.get(glAccount) ?? balanceOf(glAccount)) + amount);
    side.push({ glAccount, amount });
  };
  for (const { glAccount, amount } of legs) {
    if (!ofCardholder.includes(glAccount)) continue;
    const there = now.get(glAccount) ?? balanceOf(glAccount);
    if (receivables.includes(glAccount) && amount > 0) {
      const back = Math.min(amount, Math.max(0, there));
      add(glAccount, 0 - back);
      add(Gl.creditBalances, back - amount);
    } else if (glAccount === Gl.creditBalances && amount < 0) {
      const back = Math.min(0 - amount, Math.max(0, 0 - there));
      add(glAccount, back);
      add(Gl.purchases, 0 - amount - back);
    } else {
      add(glAccount, 0 - amount);
    }
  }
  return side.filter((leg) => leg.amount !== 0);
}

/**
 * The whole entry of a record of a known card.
 * @param side what the cardholder is charged, in `currency`
 * @param isCash the interchange of cash is an expense, any other an income
 */
export function presentmentLegs(
  side: readonly Posting[],
  currency: number,
  owed: Owed,
  interchange: readonly Interchange[],
  isCash: boolean,
): EntryLeg[] {
  const legs = sidesMeet(side, currency, Gl.network, owed);
  putInterchange(legs, owed.sub, interchange, isCash);
  return legs;
}

/** What is in suspense goes to the account of a card: the cardholder's side as of a presentment, C 1390 what is held there. */
export function outOfSuspenseLegs(side: readonly Posting[], currency: number, held: Interchange): EntryLeg[] {
  return sidesMeet(side, currency, Gl.suspense, { ...held, sub: 0 });
}

function sidesMeet(side: readonly Posting[], currency: number, other: Gl, owed: Owed): EntryLeg[] {
  const legs: EntryLeg[] = [];
  for (const { glAccount, amount } of side) put(legs, glAccount, currency, 0, amount);
  let charged = 0;
  for (const { amount } of side) charged = addMoney(charged, amount);
  put(legs, other, owed.currency, owed.sub, 0 - owed.amount);
  if (currency === owed.currency) put(legs, Gl.fxPosition, currency, 0, owed.amount - charged);
  else {
    put(legs, Gl.fxPosition, currency, 0, 0 - charged);
    put(legs, Gl.fxPosition, owed.currency, 0, owed.amount);
  }
  return legs;
}

/** The entry of a record that fits no card: in suspense, in the currency of the settlement. */
export function suspenseLegs(owed: Owed, interchange: readonly Interchange[], isCash: boolean): EntryLeg[] {
  const legs: EntryLeg[] = [];
  put(legs, Gl.suspense, owed.currency, 0, owed.amount);
  put(legs, Gl.network, owed.currency, owed.sub, 0 - owed.amount);
  putInterchange(legs, owed.sub, interchange, isCash);
  return legs;
}

function putInterchange(legs: EntryLeg[], sub: number, fees: readonly Interchange[], isCash: boolean): void {
  for (const { amount, currency } of fees) {
    put(legs, Gl.network, currency, sub, amount);
    put(legs, isCash ? Gl.interchangeExpense : Gl.interchangeIncome, currency, 0, 0 - amount);
  }
}

function put(legs: EntryLeg[], glAccount: number, currency: number, sub: number, amount: number): void {
  if (amount !== 0) legs.push({ glAccount, currency, sub, amount });
}
