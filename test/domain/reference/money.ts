/** Money between the merchant's currency and the account's, and the cash in an amount. */
import type { Entry, ModelAccount } from './entry.js';
import { type Message, typeOf } from './message.js';

export function inAccountCurrency(m: Message, account: ModelAccount): number {
  return m.currency === account.currency || m.amount === 0 ? m.amount! : m.bill!;
}

/** The same amount in the currency of the authorization and in the account's, and what of that was approved. */
export interface Rate {
  asked: bigint;
  billed: bigint;
  approved: bigint;
}

const billOf = (m: Message, account: ModelAccount): number =>
  m.currency === account.currency ? m.amount! : m.billCurrency === account.currency ? (m.bill ?? 0) : 0;

/** What one word of an authorization says; in another currency than its own: at its rate. */
export function rateOf(m: Message, approved: number, root: Entry, account: ModelAccount): Rate {
  const billed = BigInt(billOf(m, account));
  const rated = { billed, approved: BigInt(approved) };
  if (m.currency === root.message!.currency) return { asked: BigInt(m.amount ?? 0), ...rated };
  const ofRoot = BigInt(billOf(root.message!, account));
  return { asked: ofRoot === 0n ? 0n : halfUp(billed * BigInt(root.message!.amount ?? 0), ofRoot), ...rated };
}

const halfUp = (dividend: bigint, divisor: bigint): bigint => (dividend * 2n + divisor) / (divisor * 2n);

/** DE95, which is in DE49, in the account's currency: at the rate of what it is about, or its own. */
/** @param rate of all of it, or of the part @param asked what that amounts to as the acquirer said it */
export function stayingOf(m: Message, rate: Rate, asked: bigint, root: Entry, account: ModelAccount): bigint {
  const de95 = BigInt(m.de95!);
  const currency = m.currency ?? root.message!.currency;
  if (currency === account.currency) return de95;
  if (currency !== root.message!.currency) {
    if (!m.amount || !m.bill || m.billCurrency !== account.currency) return 999_999_999_999n;
    return halfUp(de95 * BigInt(m.bill), BigInt(m.amount));
  }
  if (de95 >= asked || rate.asked === 0n || rate.billed === 0n) return 999_999_999_999n;
  return halfUp(de95 * rate.billed, rate.asked);
}

/** What of it was approved, as the acquirer said it. */
export const askedOf = ({ asked, billed, approved }: Rate): bigint =>
  billed === 0n ? asked : (asked * approved) / billed;

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
