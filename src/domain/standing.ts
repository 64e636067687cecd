/**
 * What single messages (0200, 0220) have posted for one authorization so far: the sum of the legs of its record and of its
 * elements. A reversal takes back from it, a financial advice brings it to what it names.
 */
import { EventKind } from './codes.js';
import { foundAt, type History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { component, Gl } from './ledger/chart.js';
import type { Postings } from './ledger/postings.js';
import type { Policy } from './program/policy.js';
import type { ShardState } from './shard-state.js';

/** What ended disputes of one authorization have left to the cardholder. Minor units of the account's currency, from 0. */
export interface KeptByDisputes {
  /** Of what was charged. */
  readonly kept: number;
  /** Of that, what is about the part that is taken back; of none where all of it is. */
  readonly keptOfPart: number;
  /** What of the cash fee they gave back with it. */
  readonly fee: number;
}

export const NOTHING_KEPT: KeptByDisputes = { kept: 0, keptOfPart: 0, fee: 0 };

/** Balances of one authorization's legs, D positive, minor units of the account's currency. */
export class Standing {
  purchases = 0;
  cash = 0;
  fees = 0;
  creditBalance = 0;
  network = 0;
  feeIncome = 0;
  /** What the network gave back of what a dispute had given the cardholder already: C 5200, so from 0 down (decision 0056). */
  loss = 0;

  clear(): this {
    this.purchases = 0;
    this.cash = 0;
    this.fees = 0;
    this.creditBalance = 0;
    this.network = 0;
    this.feeIncome = 0;
    this.loss = 0;
    return this;
  }

  /** What the network charges for it (or, of a refund, gives): what the cardholder was charged without fees, less `loss`. */
  get total(): number {
    return Math.abs(this.network);
  }

  /** What the cardholder was charged without fees, and not given back by messages: a dispute may have given it back. */
  get charged(): number {
    return this.purchases + this.cash;
  }

  /** A purchase or cash withdrawal of `total`, `cash` of it in cash, with its fee. */
  setDebit(total: number, cash: number, fee: number): this {
    this.clear();
    this.purchases = total - cash;
    this.cash = cash;
    this.network = 0 - total;
    this.fees = fee;
    this.feeIncome = 0 - fee;
    return this;
  }

  /** A credit of `total`, of which `owed` goes against purchases and the rest into the credit balance. */
  setCredit(total: number, owed: number): this {
    this.clear();
    this.purchases = 0 - Math.min(total, owed);
    this.creditBalance = 0 - (total + this.purchases);
    this.network = total;
    return this;
  }

  addLegs(legs: Postings): this {
    for (let i = 0; i < legs.count; i++) this.add(legs.glAccount[i]!, legs.amount[i]!);
    return this;
  }

  /** One leg, D positive. */
  add(glAccount: number, amount: number): void {
    switch (glAccount) {
      case Gl.purchases:
        this.purchases += amount;
        break;
      case Gl.cash:
        this.cash += amount;
        break;
      case Gl.fees:
        this.fees += amount;
        break;
      case Gl.creditBalances:
        this.creditBalance += amount;
        break;
      case Gl.network:
        this.network += amount;
        break;
      case Gl.fraudLoss:
        this.loss += amount;
        break;
      default:
        this.feeIncome += amount;
        break;
    }
  }

  /**
   * Brings it down to `total`: purchases go before cash, with which its fee goes, and a credit balance before purchases. Of what
   * disputes have left to the cardholder already nothing goes back again: what the network gives back of it is `loss`.
   */
  reduceTo(total: number, policy: Policy, disputes = NOTHING_KEPT): void {
    const back = this.total - total;
    if (back <= 0) return;
    if (this.network < 0) {
      const borne = Math.max(0, this.charged - disputes.kept);
      const given = Math.min(back - Math.min(back, disputes.keptOfPart), borne);
      const purchases = Math.min(given, this.purchases);
      if (this.fees > disputes.fee) this.#reduceFee(disputes.fee + this.#feeThatStays(borne, given, policy, disputes));
      this.purchases -= purchases;
      this.cash -= given - purchases;
      this.network += back;
      this.loss -= back - given;
      return;
    }
    const credit = Math.min(back, 0 - this.creditBalance);
    this.creditBalance += credit;
    this.purchases += back - credit;
    this.network -= back;
  }

  /** What was taken back of it as `loss` stays charged, and so does more that the network no longer charges. @param more from 0 */
  keepCharged(more: number): void {
    this.purchases += more;
    this.loss -= more;
  }

  /**
   * What stays of the fee that no dispute gave back when of `borne` so much is given: it falls by as much as the program's fee of the
   * cash does. Of one withdrawal that is the fee of what stays; where several parts have charged one each, their fixed parts stay with
   * what stays of them. By a table that has changed meanwhile nothing is charged on top, and no more than there was goes back.
   */
  #feeThatStays(borne: number, given: number, policy: Policy, { fee }: KeptByDisputes): number {
    if (given >= borne) return 0;
    const cashFee = (charged: number): number => policy.cashFee(Math.min(this.cash, charged));
    const back = cashFee(borne) - cashFee(borne - given);
    return Math.max(0, this.fees - fee - Math.max(0, back));
  }

  #reduceFee(fees: number): void {
    this.fees = fees;
    this.feeIncome = 0 - fees;
  }

  /** Brings a debit to `total`, `cash` of it in cash. @param cashOfParts what of the cash, before and after, keeps its own fees */
  becomeDebit(total: number, cash: number, policy: Policy, cashOfParts = 0): void {
    const before = Math.max(0, this.cash - cashOfParts);
    this.setDebit(
      total,
      cash,
      total > 0 ? feeOfChanged(this.fees, before, Math.max(0, cash - cashOfParts), policy) : 0,
    );
  }

  /** Puts the legs that lead from `before` to this into `legs`. */
  legsFrom(before: Standing, legs: Postings): void {
    legs.add(Gl.purchases, this.purchases - before.purchases);
    legs.add(Gl.cash, this.cash - before.cash);
    legs.add(Gl.fees, this.fees - before.fees);
    legs.add(Gl.creditBalances, this.creditBalance - before.creditBalance);
    legs.add(Gl.network, this.network - before.network);
    legs.add(Gl.feeIncome, this.feeIncome - before.feeIncome);
    legs.add(Gl.fraudLoss, this.loss - before.loss);
  }
}

/**
 * The fee when the cash becomes `after`: it changes by as much as the program's fee does. Of one withdrawal that is the fee of what it is
 * then; where several parts have charged one each, their fixed parts stay with what stays of them. For less cash nothing is charged on top,
 * by whatever table, and no more than there was goes back.
 */
function feeOfChanged(fees: number, before: number, after: number, policy: Policy): number {
  if (after === before) return fees;
  const change = feeOf(after, policy) - feeOf(before, policy);
  return after < before ? Math.max(0, fees + Math.min(0, change)) : fees + Math.max(0, change);
}

/** Fee of a message of which `cash` is cash, minor units. */
export const feeOf = (cash: number, policy: Policy): number => (cash > 0 ? policy.cashFee(cash) : 0);

/** What is owed for purchases, which a credit goes against first. */
export function owedForPurchases(state: ShardState, accountSlot: number): number {
  return Math.max(0, state.accounts.component(accountSlot, component(Gl.purchases)));
}

/** Fills `into` with what the authorization at `root` and its elements have posted. */
export function readStanding(history: History, keys: IndexKeys, root: number, into: Standing): Standing {
  into.clear();
  const { postings } = history.read(root);
  into.addLegs(postings);
  keys.elementsKey(root);
  for (const at of foundAt(history, keys)) {
    if (history.isMessage(at)) {
      const event = history.read(at);
      if (event.originalSequence === root) into.addLegs(event.postings);
    } else {
      const event = history.readEvent(at);
      if (event?.kind !== EventKind.notDelivered || event.authorizationSequence !== root) continue;
      for (const { glAccount, amount } of event.postings) into.add(glAccount, amount);
    }
  }
  return into;
}
