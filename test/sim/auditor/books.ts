/**
 * The general ledger over all shards, summed up from the legs of every durable record. Memo accounts (9100, 9199) are summed from
 * changes of holds, apart from the balance sheet.
 */
import { fail } from './failure.js';
import type { Leg } from './records.js';

export const Gl = {
  purchases: 1100,
  cash: 1110,
  fees: 1120,
  interest: 1130,
  accrued: 1131,
  dispute: 1200,
  settlementBank: 1300,
  paymentsBank: 1310,
  suspense: 1390,
  fx: 1500,
  network: 2100,
  credit: 2200,
  transit: 2300,
  interchangeIncome: 4100,
  interestIncome: 4200,
  feeIncome: 4300,
  fxIncome: 4400,
  networkFees: 5100,
  disputeLoss: 5200,
  creditLoss: 5300,
  interchangeExpense: 5400,
  rounding: 5900,
} as const;

const CHART: ReadonlySet<number> = new Set(Object.values(Gl));

/** What the posted balance of an account is the sum of. */
export const POSTED: readonly number[] = [Gl.purchases, Gl.cash, Gl.fees, Gl.interest, Gl.credit];

/** Kept per cardholder account beside these. */
export const DETAIL: readonly number[] = [...POSTED, Gl.accrued, Gl.dispute, Gl.creditLoss];

export class Books {
  /** Keys of entries and clearing records: each is posted once. */
  readonly keys = new Set<string>();
  /** Balance by currency and account of the chart, D positive; memo holds under 9100. */
  readonly #sums = new Map<number, Map<number, number>>();

  /** Takes one entry. @throws AuditFailure unless it balances in every currency */
  post(legs: readonly Leg[], evidence: () => Readonly<Record<string, unknown>>): void {
    if (legs.length === 0) return;
    const perCurrency = new Map<number, number>();
    for (const { gl, currency, amount } of legs) {
      if (!CHART.has(gl)) fail('books', `${gl} is no account of the chart`, { legs, ...evidence() });
      perCurrency.set(currency, (perCurrency.get(currency) ?? 0) + amount);
      this.#add(currency, gl, amount);
    }
    for (const [currency, sum] of perCurrency) {
      if (sum !== 0)
        fail('books', 'debits equal credits in every entry and currency', { currency, sum, legs, ...evidence() });
    }
  }

  hold(currency: number, change: number): void {
    if (change !== 0) this.#add(currency, 9100, change);
  }

  balance(currency: number, gl: number): number {
    return this.#sums.get(currency)?.get(gl) ?? 0;
  }

  /** @throws AuditFailure unless the book balances, and control accounts are the sums of their detail */
  close(detail: ReadonlyMap<string, number>): void {
    for (const [currency, accounts] of this.#sums) {
      let sum = 0;
      for (const [gl, amount] of accounts) if (gl !== 9100) sum += amount;
      if (sum !== 0) fail('books', 'the trial balance of a currency is zero', { currency, sum });
      for (const gl of [...DETAIL, 9100]) {
        const control = accounts.get(gl) ?? 0;
        const accountsTogether = detail.get(`${currency} ${gl}`) ?? 0;
        if (control === accountsTogether) continue;
        fail('books', `${gl} is the sum over its accounts`, { currency, control, accountsTogether });
      }
    }
  }

  #add(currency: number, gl: number, amount: number): void {
    let accounts = this.#sums.get(currency);
    if (accounts === undefined) {
      accounts = new Map();
      this.#sums.set(currency, accounts);
    }
    const sum = (accounts.get(gl) ?? 0) + amount;
    if (!Number.isSafeInteger(sum)) fail('books', 'a balance is a safe integer', { currency, gl, sum });
    accounts.set(gl, sum);
  }
}
