/** Messages as the reference model knows them: what they say, what they ask for, and when two are the same. */

/** A message as a sender would describe it. Absent fields are absent. */
export interface Message {
  mti: number;
  /** Name of the dialect that it came in. */
  dialect?: string;
  pc?: number;
  amount?: number;
  currency?: number;
  bill?: number;
  billCurrency?: number;
  stan: number;
  de7: number;
  expiry?: number;
  /** DE12 hhmmss and DE13 MMDD, as integers. */
  time?: number;
  date?: number;
  mcc?: number;
  mode?: number;
  condition?: number;
  /** DE42; the country of DE19, and the one at the end of DE43, in letters. */
  merchant?: string;
  country?: string;
  place?: string;
  fn?: string;
  partial?: boolean;
  acquirer?: string;
  forwarder?: string;
  rrn?: string;
  terminal?: string;
  de38?: string;
  net?: string;
  orig?: string;
  de90?: { mti: number; stan?: number; de7?: number; acquirer?: string; forwarder?: string };
  de95?: number;
  /** It carries a PIN. */
  pin?: boolean;
  /** Cash part of DE4: DE54 amount type 40. */
  back?: number;
  /** DE48 tag 80. */
  hold?: string;
  /** DE48 tag 84. */
  why?: string;
  /** DE91 and DE127 of a file update. */
  file?: string;
  listing?: number;
  bad?: number;
}

export type What =
  | 'debit'
  | 'increment'
  | 'replacement'
  | 'credit'
  | 'verification'
  | 'inquiry'
  | 'advice'
  | 'reversal'
  | 'file update'
  | 'not understood';

/** Processing types of credits to the card. */
const CREDITS = [20, 26, 28];

export const isFinancial = (m: Message): boolean => classOf(m.mti) === '2';
export const isCredit = (m: Message): boolean => CREDITS.includes(typeOf(m));
/** Both are credits, or neither; what has no type that is served says nothing of it. */
export const isSameDirection = (m: Message, original: Message): boolean =>
  !TYPES.includes(typeOf(m)) || isCredit(m) === isCredit(original);
const TYPES = [0, 1, 9, 10, 11, 17, 20, 26, 28, 30, 31, 38];
export const typeOf = (m: Message): number => Math.trunc((m.pc ?? -10_000) / 10_000);
export const classOf = (mti: number): string => String(mti).padStart(4, '0')[1]!;

/** The network approved an authorization, and no change of one, in stand-in. Credits have no changes. */
export const isStandIn = (m: Message): boolean => m.why === 'S' && ((m.fn !== 'I' && m.fn !== 'R') || isCredit(m));

/** What the message asks for. */
export function whatIs(m: Message): What {
  if ([400, 401, 420, 421].includes(m.mti)) return 'reversal';
  if (m.mti === 302 || m.mti === 303) return 'file update';
  if (!SERVED.includes(m.mti)) return 'not understood';
  const type = typeOf(m);
  if (![0, 1, 9, 10, 11, 17, 20, 26, 28, 30, 31, 38].includes(type)) return 'not understood';
  if (Math.trunc(m.mti / 10) % 10 === 2) return 'advice';
  if (type === 30 || type === 31) return 'inquiry';
  if (type === 38 || m.amount === 0) return 'verification';
  if (m.fn === 'I' || m.fn === 'R') {
    if (isCredit(m) || isFinancial(m)) return 'not understood';
    return m.fn === 'I' ? 'increment' : 'replacement';
  }
  return isCredit(m) ? 'credit' : 'debit';
}

const SERVED = [100, 101, 120, 121, 200, 201, 220, 221, 302, 303, 400, 401, 420, 421];

/** The time, date or expiry of a message that is served which cannot be in any year. */
export function impossibleField(m: Message): string | undefined {
  if (!SERVED.includes(m.mti)) return undefined;
  const digits = (value: number, length: number): string => String(value).padStart(length, '0');
  const isTime = (time: string): boolean => /^([01]\d|2[0-3])[0-5]\d[0-5]\d$/.test(time);
  // 2028 has a 29 February. A Date of another day is the day that it was carried over to.
  const isDate = (date: string): boolean =>
    new Date(Date.UTC(2028, Number(date.slice(0, 2)) - 1, Number(date.slice(2)))).toISOString().slice(5, 10) ===
    `${date.slice(0, 2)}-${date.slice(2)}`;
  const de7 = digits(m.de7, 10);
  if (!isDate(de7.slice(0, 4)) || !isTime(de7.slice(4))) return 'DE7';
  if (m.time !== undefined && !isTime(digits(m.time, 6))) return 'DE12';
  if (m.date !== undefined && !isDate(digits(m.date, 4))) return 'DE13';
  return m.expiry === undefined || /(0[1-9]|1[0-2])$/.test(digits(m.expiry, 4)) ? undefined : 'DE14';
}

/** True for a new purchase with cash back that does not tell what of it is cash. */
export const lacksCashBack = (m: Message, what: What): boolean =>
  what === 'debit' && typeOf(m) === 9 && m.back === undefined;

/** True for what cannot be understood (30). */
export function isMalformed(m: Message, what: What, accountCurrency: number | undefined): boolean {
  if (m.bad || impossibleField(m) !== undefined) return true;
  if (what === 'file update') {
    if (m.file === '3') return false;
    return !['1', '2'].includes(m.file ?? '') || ![undefined, 4, 5, 36, 41, 43, 46, 54, 62].includes(m.listing);
  }
  if (['1', '2'].includes(classOf(m.mti)) && m.pc === undefined) return true;
  const toldMoney = what === 'advice' && m.amount !== 0 && ![30, 31, 38].includes(typeOf(m));
  if (!['debit', 'credit', 'increment', 'replacement'].includes(what) && !toldMoney) return false;
  if (lacksCashBack(m, what)) return true;
  if (m.amount === undefined || m.currency === undefined || (m.back ?? 0) > m.amount) return true;
  if (accountCurrency === undefined || m.currency === accountCurrency) return false;
  return !(m.bill && m.billCurrency === accountCurrency);
}

/** Class, DE11, DE32, DE37, DE41; card and DE7 are compared by the caller. The advice `b` repeats no request. */
export function sameKey(a: Message, b: Message): boolean {
  if (whatIs(b) === 'advice' && whatIs(a) !== 'advice') return false;
  if (a.stan !== b.stan) return false;
  return (
    Math.trunc(a.mti / 100) === Math.trunc(b.mti / 100) &&
    bare(a.acquirer) === bare(b.acquirer) &&
    (a.rrn ?? '') === (b.rrn ?? '') &&
    (a.terminal ?? '') === (b.terminal ?? '')
  );
}

export function sameMoney(a: Message, b: Message): boolean {
  if ((a.de95 ?? 0) !== (b.de95 ?? 0)) return false;
  const money = (m: Message): string[] => [
    m.amount ? `${m.amount} ${m.currency}` : 'none',
    m.bill ? `${m.bill} ${m.billCurrency}` : 'none',
  ];
  return money(a).join() === money(b).join();
}

export const bare = (institution: string | undefined): string => (institution ?? '').replace(/^0+/, '');

/** xxx1 says that it is a repeat. */
export const isMarkedRepeat = (m: Message): boolean => m.mti % 2 === 1;
