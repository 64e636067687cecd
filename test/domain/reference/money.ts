/** Money between the merchant's currency and the account's, and the cash in an amount. */
import type { Entry, ModelAccount } from './entry.js';
import { type Message, typeOf } from './message.js';

export function inAccountCurrency(m: Message, account: ModelAccount): number {
  return m.currency === account.currency || m.amount === 0 ? m.amount! : m.bill!;
}

const billOf = (m: Message, account: ModelAccount): number =>
  m.currency === account.currency ? m.amount! : m.billCurrency === account.currency ? (m.bill ?? 0) : 0;

const halfUp = (dividend: bigint, divisor: bigint): bigint => (dividend * 2n + divisor) / (divisor * 2n);

/**
 * DE95, which is in DE49, in the account's currency: at the rate of what it is about, or its own.
 * @param of what it is about: the authorization, or a part of it @param authorized what stands of that in the acquirer's currency
 */
export function stayingOf(m: Message, of: Message, authorized: number, root: Entry, account: ModelAccount): bigint {
  const de95 = BigInt(m.de95!);
  const currency = m.currency ?? root.message!.currency;
  if (currency === account.currency) return de95;
  if (currency !== root.message!.currency) {
    if (!m.amount || !m.bill || m.billCurrency !== account.currency) return 999_999_999_999n;
    return halfUp(de95 * BigInt(m.bill), BigInt(m.amount));
  }
  const billed = billOf(of, account);
  if (m.de95! >= authorized || !of.amount || billed === 0) return 999_999_999_999n;
  return halfUp(de95 * BigInt(billed), BigInt(of.amount));
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
