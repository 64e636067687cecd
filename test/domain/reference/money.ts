/** Money between the merchant's currency and the account's, and the cash in an amount. */
import type { Entry, ModelAccount } from './entry.js';
import { type Message, typeOf } from './message.js';

export function inAccountCurrency(m: Message, account: ModelAccount): number {
  return m.currency === account.currency || m.amount === 0 ? m.amount! : m.bill!;
}

/** DE95, which is in DE49, in the account's currency: at the rate of the authorization, or its own. */
export function stayingOf(m: Message, root: Entry, account: ModelAccount): bigint {
  const de95 = m.de95!;
  const o = root.message!;
  const currency = m.currency ?? o.currency;
  if (currency === account.currency) return BigInt(de95);
  if (currency !== o.currency) {
    if (!m.amount || !m.bill || m.billCurrency !== account.currency) return 999_999_999_999n;
    return (BigInt(de95) * BigInt(m.bill) * 2n + BigInt(m.amount)) / (BigInt(m.amount) * 2n);
  }
  if (!o.amount || !o.bill || o.billCurrency !== account.currency) return 999_999_999_999n;
  const converted = (BigInt(de95) * BigInt(o.bill) * 2n + BigInt(o.amount)) / (BigInt(o.amount) * 2n);
  const whole = de95 >= inMerchantCurrency(o, account, root.approved);
  return whole && converted < root.approved ? BigInt(root.approved) : converted;
}

export function cashOf(m: Message, account: ModelAccount): number {
  const whole = inAccountCurrency(m, account);
  const type = typeOf(m);
  if ([1, 11, 17].includes(type)) return whole;
  if (![0, 9, 10].includes(type) || !m.back || whole === 0) return 0;
  if (m.currency === account.currency) return m.back;
  const [part, bill, amount] = [BigInt(m.back), BigInt(m.bill!), BigInt(m.amount!)];
  return Math.min(whole, Number((part * bill * 2n + amount) / (amount * 2n)));
}

export const oneMajorUnit = (currency: number): number => ({ 392: 1, 414: 1000 })[currency] ?? 100;

export function inMerchantCurrency(m: Message, account: ModelAccount, approved: number): number {
  if (m.currency === account.currency) return approved;
  return Number((BigInt(m.amount!) * BigInt(approved)) / BigInt(m.bill!));
}
