/**
 * The chart of accounts: per currency, one legal entity. Numbers are part of the journal's format: add to them, and never change
 * or reuse one.
 */
export const Gl = {
  purchases: 1100,
  cash: 1110,
  fees: 1120,
  interestBilled: 1130,
  interestAccrued: 1131,
  disputes: 1200,
  settlementBank: 1300,
  paymentsBank: 1310,
  suspense: 1390,
  fxPosition: 1500,
  network: 2100,
  creditBalances: 2200,
  paymentsInTransit: 2300,
  interchangeIncome: 4100,
  interestIncome: 4200,
  feeIncome: 4300,
  fxMarkup: 4400,
  networkFees: 5100,
  fraudLoss: 5200,
  creditLoss: 5300,
  interchangeExpense: 5400,
  rounding: 5900,
  /** Memo accounts of the holds: debit per account, and contra. Not part of the balance sheet. */
  holds: 9100,
  holdsContra: 9199,
} as const;
export type Gl = (typeof Gl)[keyof typeof Gl];

/** Every account of the chart, ascending. */
export const CHART: readonly Gl[] = Object.values(Gl).sort((a, b) => a - b);

const names: Readonly<Record<Gl, string>> = {
  1100: 'receivable purchases',
  1110: 'receivable cash',
  1120: 'receivable fees',
  1130: 'receivable interest billed',
  1131: 'interest accrued',
  1200: 'dispute receivable',
  1300: 'settlement bank',
  1310: 'payments bank',
  1390: 'clearing suspense',
  1500: 'FX position',
  2100: 'network settlement payable',
  2200: 'cardholder credit balances',
  2300: 'payments in transit',
  4100: 'interchange income',
  4200: 'interest income',
  4300: 'fee income',
  4400: 'FX mark-up income',
  5100: 'network fees',
  5200: 'dispute and fraud loss',
  5300: 'credit loss',
  5400: 'interchange expense',
  5900: 'rounding',
  9100: 'memo: holds',
  9199: 'memo: holds contra',
};

export function glName(account: number): string {
  return names[account as Gl] ?? 'other';
}

/**
 * Chart accounts that are kept per cardholder account too, in the order of the components of an account's row: first those whose
 * balances make up the posted balance, then what the cardholder does not owe (yet).
 */
export const COMPONENTS = [
  Gl.purchases,
  Gl.cash,
  Gl.fees,
  Gl.interestBilled,
  Gl.creditBalances,
  Gl.interestAccrued,
  Gl.disputes,
  /** What was charged off and has not been recovered. */
  Gl.creditLoss,
] as const;
/** How many of the components make up the posted balance. */
export const POSTED_COMPONENTS = 5;

const componentOf = new Int8Array(10_000).fill(-1);
COMPONENTS.forEach((glAccount, place) => {
  componentOf[glAccount] = place;
});

/** Place of a chart account among the components, -1 when it is none of them. */
export function component(glAccount: number): number {
  return componentOf[glAccount] ?? -1;
}

/** True when the account is part of what the cardholder owes. */
export function isPosted(glAccount: number): boolean {
  const place = component(glAccount);
  return place >= 0 && place < POSTED_COMPONENTS;
}

/** Change of the posted balance by an entry's legs (D positive, C negative). */
export function postedChange(legs: readonly { glAccount: number; amount: number }[]): number {
  let sum = 0;
  for (const { glAccount, amount } of legs) if (isPosted(glAccount)) sum += amount;
  return sum;
}
