/** Names of the chart of accounts, and the accounts whose sum is the posted balance of a cardholder. */
const names: Record<number, string> = {
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
  return names[account] ?? 'other';
}

const postedAccounts = new Set([1100, 1110, 1120, 1130, 2200]);

/** Change of the posted balance by an entry's legs (D positive, C negative). */
export function postedChange(postings: readonly { glAccount: number; amount: number }[]): number {
  let sum = 0;
  for (const { glAccount, amount } of postings) if (postedAccounts.has(glAccount)) sum += amount;
  return sum;
}

/** Legs as the API shows them. */
export function legObjects(postings: readonly { glAccount: number; amount: number }[]): object[] {
  return postings.map(({ glAccount, amount }) => ({
    account: String(glAccount),
    name: glName(glAccount),
    debit: Math.max(0, amount),
    credit: Math.max(0, -amount),
  }));
}
