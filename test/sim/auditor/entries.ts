/** Ledger entries that no message makes: who may be debited and credited by which, once each (docs/reference/ledger.md). */
import { type Books, DETAIL, Gl } from './books.js';
import { fail, same } from './failure.js';
import type { EntryPosted, Leg, Payment } from './records.js';
import type { AuditedAccount, ShardAudit } from './shard-audit.js';

type Side = 'D' | 'C' | 'either';
interface Pattern {
  readonly name: string;
  readonly sides: Readonly<Record<number, Side>>;
  /** True when it is no entry without this account of the chart. */
  readonly needs?: number;
}

const NETWORK_BACK = {
  [Gl.network]: 'either',
  [Gl.interchangeIncome]: 'either',
  [Gl.interchangeExpense]: 'either',
  [Gl.fx]: 'either',
} as const;

const FEES_BACK = {
  [Gl.feeIncome]: 'D',
  [Gl.fxIncome]: 'D',
  [Gl.purchases]: 'C',
  [Gl.cash]: 'C',
  [Gl.fees]: 'C',
  [Gl.credit]: 'C',
} as const;

/** By number of the entry's kind. */
const PATTERNS: Readonly<Record<number, Pattern>> = {
  1: { name: 'payment returned', sides: {} },
  2: { name: 'fee', sides: { [Gl.fees]: 'D', [Gl.feeIncome]: 'C' }, needs: Gl.fees },
  3: { name: 'fee waived', sides: { [Gl.feeIncome]: 'D', [Gl.fees]: 'C', [Gl.credit]: 'C' }, needs: Gl.feeIncome },
  4: { name: 'interest accrued', sides: { [Gl.accrued]: 'D', [Gl.interestIncome]: 'C' } },
  5: { name: 'interest billed', sides: { [Gl.interest]: 'D', [Gl.accrued]: 'C' } },
  6: {
    name: 'provisional credit',
    sides: { [Gl.dispute]: 'D', [Gl.purchases]: 'C', [Gl.credit]: 'C' },
    needs: Gl.dispute,
  },
  7: { name: 'provisional credit reversed', sides: { [Gl.purchases]: 'D', [Gl.credit]: 'D', [Gl.dispute]: 'C' } },
  8: { name: 'chargeback', sides: { [Gl.dispute]: 'C', ...NETWORK_BACK }, needs: Gl.dispute },
  9: { name: 'chargeback reversed', sides: { [Gl.dispute]: 'D', ...NETWORK_BACK }, needs: Gl.dispute },
  // What the cardholder keeps of it goes back with its mark-up and fee, of a lost one against what is owed again.
  10: {
    name: 'dispute lost by cardholder',
    sides: { [Gl.dispute]: 'C', [Gl.disputeLoss]: 'C', ...FEES_BACK, [Gl.purchases]: 'either' },
  },
  11: { name: 'dispute written off', sides: { [Gl.disputeLoss]: 'D', [Gl.dispute]: 'C', ...FEES_BACK } },
  12: { name: 'network fee', sides: { [Gl.networkFees]: 'either', [Gl.network]: 'either' }, needs: Gl.network },
  13: {
    name: 'settlement',
    sides: { [Gl.network]: 'either', [Gl.settlementBank]: 'either', [Gl.rounding]: 'either' },
    needs: Gl.settlementBank,
  },
  14: {
    name: 'suspense resolved',
    sides: {
      ...{ [Gl.suspense]: 'either', [Gl.disputeLoss]: 'either', [Gl.network]: 'either', [Gl.purchases]: 'either' },
      ...{ [Gl.cash]: 'either', [Gl.fees]: 'either', [Gl.feeIncome]: 'either', [Gl.credit]: 'either' },
      ...{ [Gl.fxIncome]: 'either', [Gl.fx]: 'either', [Gl.interchangeIncome]: 'either' },
      ...{ [Gl.interchangeExpense]: 'either' },
    },
  },
  15: { name: 'credit balance refunded', sides: { [Gl.credit]: 'D', [Gl.paymentsBank]: 'C' }, needs: Gl.credit },
  16: {
    name: 'charge-off',
    sides: {
      ...{ [Gl.creditLoss]: 'D', [Gl.credit]: 'D', [Gl.interest]: 'C', [Gl.fees]: 'C', [Gl.cash]: 'C' },
      ...{ [Gl.purchases]: 'C', [Gl.interestIncome]: 'D', [Gl.accrued]: 'C' },
    },
    needs: Gl.creditLoss,
  },
  17: { name: 'recovery', sides: { [Gl.paymentsBank]: 'D', [Gl.creditLoss]: 'C' }, needs: Gl.creditLoss },
  18: { name: 'dispute won', sides: { [Gl.disputeLoss]: 'D', [Gl.dispute]: 'C', ...FEES_BACK } },
  19: { name: 'chargeback taken back', sides: { [Gl.dispute]: 'D', ...NETWORK_BACK }, needs: Gl.dispute },
  20: { name: 'interest waived', sides: { [Gl.interestIncome]: 'D', [Gl.accrued]: 'C' } },
};

const PAYMENT_RETURNED = 1;
const PROVISIONAL_CREDIT = 6;
/** Entries of the daily accrual, which have a bar of their own. */
const ACCRUALS: readonly number[] = [2, 4, 5, 20];
/** Entries that credit what is owed: down to zero, the rest is the cardholder's. */
const CREDITS: readonly number[] = [3, 6];

/** Payments go against these in this order; what is left is the cardholder's. */
const WATERFALL = [Gl.interest, Gl.fees, Gl.cash, Gl.purchases, Gl.creditLoss];

export class EntryAudit {
  readonly #shard: ShardAudit;
  readonly #books: Books;
  /** Legs of a payment by its sequence, as sums. */
  readonly #payments = new Map<number, Map<number, number>>();
  /** What a dispute is about, by the sequence of its provisional credit. */
  readonly #disputed = new Map<number, number>();

  constructor(shard: ShardAudit, books: Books) {
    this.#shard = shard;
    this.#books = books;
  }

  payment(r: Payment): void {
    const account = this.#shard.account(r.account, r.sequence);
    const evidence = this.#evidence(r, account);
    this.#once(`payment ${account.id} ${r.reference}`, evidence);
    same('books', 'a payment is in the currency of its account', r.currency, account.model.currency, evidence);
    if (r.amount < 1) fail('books', 'a payment is of something', evidence());
    const expected = new Map<number, number>([[Gl.paymentsBank, r.amount]]);
    let rest = r.amount;
    for (const gl of WATERFALL) {
      const part = Math.min(rest, Math.max(0, this.detail(account, gl)));
      if (part > 0) expected.set(gl, 0 - part);
      rest -= part;
    }
    if (rest > 0) expected.set(Gl.credit, 0 - rest);
    const legs = r.legs.map((leg) => ({ ...leg, currency: r.currency, sub: 0 }));
    const sums = sumsOf(legs);
    sameSums('a payment goes against what is owed in its order', sums, expected, evidence);
    this.#payments.set(r.sequence, sums);
    this.apply(account, legs, evidence);
  }

  entry(r: EntryPosted): void {
    const { model } = this.#shard;
    const account = r.account >= 0 ? this.#shard.account(r.account, r.sequence) : undefined;
    const evidence = this.#evidence(r, account);
    const pattern = PATTERNS[r.entry] ?? fail('record', `no entry is of kind ${r.entry}`, evidence());
    if (r.reference !== '') this.#once(`${pattern.name} ${account?.id ?? ''} ${r.reference}`, evidence);
    else if (!ACCRUALS.includes(r.entry)) fail('entry key', 'an entry has a key', evidence());
    if (r.related >= model.past.log.length + 1) fail('record', 'an entry goes on from an earlier record', evidence());
    const sums = sumsOf(r.legs);
    const owed = account && { ...account.model.owes };
    if (r.entry === PAYMENT_RETURNED) this.#returned(r, sums, evidence);
    else isOfPattern(pattern, sums, evidence);
    if (r.entry === PROVISIONAL_CREDIT) this.#disputed.set(r.sequence, r.related);
    if (r.ended) this.#kept(r, r.ended, sums);
    this.apply(account, r.legs, evidence);
    if (account && owed && CREDITS.includes(r.entry)) {
      const of = r.entry === 6 ? 'purchases' : 'fees';
      const left = account.model.owes[of];
      if (left < Math.min(0, owed[of]))
        fail('books', 'a credit takes what is owed down to zero and no further', evidence());
      if ((sums.get(Gl.credit) ?? 0) < 0 && left > 0) fail('books', 'a credit pays what is owed first', evidence());
    }
  }

  /** Adds up the parts of an account, and the book. Parts are the account's own, in its currency. */
  apply(
    account: AuditedAccount | undefined,
    legs: readonly Leg[],
    evidence: () => Readonly<Record<string, unknown>>,
  ): void {
    for (const { gl, currency, amount } of legs) {
      if (!DETAIL.includes(gl)) continue;
      if (account === undefined) fail('books', `${gl} is kept per account, and the entry has none`, evidence());
      same('books', `${gl} is in the currency of its account`, currency, account.model.currency, evidence);
      this.#move(account, gl, amount);
    }
    this.#books.post(legs, evidence);
  }

  /** What a dispute has left to the cardholder: a reversal of it gives that back no more. */
  #kept({ related }: EntryPosted, { posted, kept }: { posted: number; kept: number }, sums: Map<number, number>): void {
    const { balances } = this.#shard.model;
    const all = balances.kept.get(posted) ?? { amount: 0, fee: 0, ofPart: new Map<number, number>() };
    balances.kept.set(posted, all);
    all.amount += kept;
    all.fee += sums.get(Gl.feeIncome) ?? 0;
    const part = this.#disputed.get(related) ?? 0;
    all.ofPart.set(part, (all.ofPart.get(part) ?? 0) + kept);
  }

  /** What an account has on an account of the chart. */
  detail({ model: { owes }, beside }: AuditedAccount, gl: number): number {
    switch (gl) {
      case Gl.purchases:
        return owes.purchases;
      case Gl.cash:
        return owes.cash;
      case Gl.fees:
        return owes.fees;
      case Gl.interest:
        return owes.interest;
      case Gl.credit:
        return owes.credit;
      case Gl.accrued:
        return beside.accrued;
      case Gl.dispute:
        return beside.dispute;
      default:
        return beside.loss;
    }
  }

  #move({ model: { owes }, beside }: AuditedAccount, gl: number, amount: number): void {
    if (gl === Gl.purchases) owes.purchases += amount;
    else if (gl === Gl.cash) owes.cash += amount;
    else if (gl === Gl.fees) owes.fees += amount;
    else if (gl === Gl.interest) owes.interest += amount;
    else if (gl === Gl.credit) owes.credit += amount;
    else if (gl === Gl.accrued) beside.accrued += amount;
    else if (gl === Gl.dispute) beside.dispute += amount;
    else beside.loss += amount;
  }

  /** The mirror of the payment; what was a credit balance and was paid out since is owed. */
  #returned(r: EntryPosted, sums: Map<number, number>, evidence: () => Readonly<Record<string, unknown>>): void {
    const payment = this.#payments.get(r.related);
    if (payment === undefined) fail('books', 'what is returned is a payment', evidence());
    const mirror = new Map([...payment].map(([gl, amount]) => [gl, 0 - amount]));
    const together = (of: Map<number, number>): Map<number, number> => {
      const { purchases, credit } = Gl;
      const all = new Map(of);
      all.set(purchases, (of.get(purchases) ?? 0) + (of.get(credit) ?? 0));
      all.delete(credit);
      return all;
    };
    sameSums('a return is the mirror of its payment', together(sums), together(mirror), evidence);
  }

  #once(key: string, evidence: () => Readonly<Record<string, unknown>>): void {
    if (this.#books.keys.has(key)) fail('entry key', 'an entry is posted once', { key, ...evidence() });
    this.#books.keys.add(key);
  }

  #evidence(r: Payment | EntryPosted, account: AuditedAccount | undefined): () => Readonly<Record<string, unknown>> {
    return () => ({ ...r, shard: this.#shard.shard, account: account?.id, owes: account?.model.owes });
  }
}

/** Sum of the legs of each account of the chart; none of what comes to nothing. */
export function sumsOf(legs: readonly Leg[]): Map<number, number> {
  const sums = new Map<number, number>();
  for (const { gl, amount } of legs) sums.set(gl, (sums.get(gl) ?? 0) + amount);
  for (const [gl, sum] of sums) if (sum === 0) sums.delete(gl);
  return sums;
}

export function sameSums(
  what: string,
  engine: Map<number, number>,
  expected: Map<number, number>,
  evidence: () => Readonly<Record<string, unknown>>,
): void {
  const shown = (sums: Map<number, number>): string =>
    [...sums]
      .filter(([, sum]) => sum !== 0)
      .sort(([a], [b]) => a - b)
      .map(([gl, sum]) => `${sum > 0 ? 'D' : 'C'} ${gl} ${Math.abs(sum)}`)
      .join(', ');
  same('books', what, shown(engine), shown(expected), evidence);
}

function isOfPattern(
  { name, sides, needs }: Pattern,
  sums: Map<number, number>,
  evidence: () => Record<string, unknown>,
): void {
  for (const [gl, sum] of sums) {
    const side = sides[gl];
    if (side === undefined) fail('books', `a ${name} has nothing to do with ${gl}`, evidence());
    if (side !== 'either' && (side === 'D') !== sum > 0)
      fail('books', `a ${name} has ${gl} on the side ${side}`, evidence());
  }
  if (needs !== undefined && sums.size > 0 && !sums.has(needs)) fail('books', `a ${name} moves ${needs}`, evidence());
}
