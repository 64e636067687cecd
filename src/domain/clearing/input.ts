/**
 * One record of a clearing file as posting and reconciliation need it, freed of the network's format. Whoever reads the file
 * makes it: texts without padding and with card numbers masked (src/pan-mask.ts), the number of the card replaced by its slot.
 *
 * Amounts are minor units of the currency beside them, currencies ISO 4217 numbers; -1 when the record has none.
 */
import { AMOUNT_MAX } from '../../limits.js';
import { currencyExponent } from '../currencies.js';
import type { Fingerprint } from '../events.js';
import { SUB_ACCOUNT_MAX } from '../ledger/sub-account.js';
import { isAmount } from '../money.js';
import { ClearingSort } from './codes.js';

/** One interchange fee that the network computed. */
export interface ClearingFee {
  /** Of the settlement, not negative. */
  amount: number;
  currency: number;
  /** 1 to us, -1 from us; 0 where the file does not say it: we earn it on purchases and pay it on cash and credits. */
  sign: number;
}

export interface ClearingInput {
  /** Number of the record in its file, from 1. */
  record: number;
  /**
   * DE0: 1240, or the transaction code of a presentment or its reversal in another format (5, 6, 7, 25, 26, 27). DE24: 200, or
   * 205 and 282 for what is presented again, in other formats too.
   */
  mti: number;
  functionCode: number;
  /** DE3, six digits. */
  processingCode: number;
  /** DE4, DE49: the merchant's. */
  amount: number;
  currency: number;
  /** DE54 amount type 40: what of DE4 is cash back with a purchase; -1 when absent. */
  cashBack: number;
  /** DE5, DE50: what is owed to the network. */
  settlementAmount: number;
  settlementCurrency: number;
  /** DE6, DE51: what the cardholder is billed. */
  billingAmount: number;
  billingCurrency: number;
  /** Number of the network, 0 to NETWORK_MAX. */
  network: number;
  /** Sub-account of the settlement (ledger/sub-account.ts); 0 when the record names none. */
  sub: number;
  /** The network's business day, days since 1970; -1 when it names none. */
  businessDay: number;
  fees: ClearingFee[];
  /** DE26; -1 when absent. */
  mcc: number;
  /** ISO 3166 numeric; -1 when absent. */
  country: number;
  /** DE12: day since 1970 and second of the day at the merchant; -1 when absent. */
  localDay: number;
  localSeconds: number;
  /** 1: one of several clearings and not the last (DE25 1403, or `sequence` below `count`). */
  partial: number;
  /** Which of how many clearings; 0 where the record does not say it. */
  sequence: number;
  count: number;
  /** 1: takes an earlier record back (PDS0025). */
  reversal: number;
  /** Day of what is taken back; -1 when absent. */
  originalDay: number;
  /** DE31. */
  arn: string;
  /** The 15 characters of DE63 that are our DE63. */
  networkId: string;
  /** DE37, DE38, DE32, DE41, DE42. */
  rrn: string;
  approvalCode: string;
  acquirer: string;
  terminal: string;
  acceptor: string;
  /** Name of the merchant. */
  acceptorName: string;
}

/** A record with the card that it is about: its slot or that of a network token, -1 with the fingerprint of an unknown number. */
export interface ClearingEntry {
  card: number;
  fingerprint: Fingerprint;
  input: ClearingInput;
  /** The card came after a file that may have posted this record to suspense: the shard of its number is asked first. */
  late?: boolean;
  /** Fingerprints of the number under keys of before: the shards of these are asked first as well. */
  formerly?: readonly Fingerprint[];
}

/** What became of one record. */
export interface ClearingAnswer {
  /**
   * `already`: this very record was posted before. `duplicate`: another record, or a single message, has posted the same
   * thing; nothing is posted and it is a break. `invalid`: a value cannot be what it says; nothing is posted. `elsewhere`: asked
   * as a record of an unknown number, it belongs to nothing that is in suspense under it; nothing is posted.
   */
  outcome: 'posted' | 'already' | 'duplicate' | 'invalid' | 'elsewhere';
  /** Of the record that posted it; 0 when invalid or elsewhere. */
  sequence: number;
  /** MatchRung and bits of ClearingFlag (codes.ts). Of a duplicate, `otherAmount` says that the amounts differ. */
  rung: number;
  flags: number;
  /** Name of the value that is invalid. */
  field?: string;
}

/** Longest texts. */
const widths = {
  arn: 23,
  networkId: 15,
  rrn: 12,
  approvalCode: 6,
  acquirer: 11,
  terminal: 8,
  acceptor: 15,
  acceptorName: 40,
} as const satisfies Partial<Record<keyof ClearingInput, number>>;
const texts = Object.entries(widths) as [keyof typeof widths, number][];

const amounts = [
  ['amount', 'currency'],
  ['settlementAmount', 'settlementCurrency'],
  ['billingAmount', 'billingCurrency'],
] as const;

/** Message types, or transaction codes, that charge or credit a card. Chargebacks and fee collections are entries of their own. */
const presentments = [1240, 5, 6, 7, 25, 26, 27];
/** First two digits of DE3 of fee collections: between the network and us. */
const feeTypes = [19, 29];

/** Most fees of one record; IPM has room for 27 in one PDS. */
const FEES_MAX = 32;
const INTEGERS_MAX = 10_000_000;
const integers = [
  'record',
  'mti',
  'functionCode',
  'processingCode',
  'network',
  'businessDay',
  'mcc',
  'country',
  'localDay',
  'localSeconds',
  'partial',
  'sequence',
  'count',
  'reversal',
  'originalDay',
] as const;

/** Name of the first value that cannot be what it says, undefined when all is well: a bad record must not stop a shard. */
export function badValue(input: ClearingInput): string | undefined {
  for (const name of integers) {
    const value = input[name];
    if (!Number.isSafeInteger(value) || value < -1 || value > INTEGERS_MAX) return name;
  }
  if (!presentments.includes(input.mti)) return 'mti';
  if (input.processingCode < 0 || input.processingCode > 999_999) return 'processingCode';
  if (feeTypes.includes(Math.floor(input.processingCode / 10_000))) return 'processingCode';
  if (input.mcc > 9999) return 'mcc';
  for (const [amount, currency] of amounts) {
    if (input[amount] === -1 && input[currency] === -1) continue;
    if (!isAmount(input[amount], 0)) return amount;
    if (!isCurrency(input[currency])) return currency;
  }
  if (input.amount < 0) return 'amount';
  if (input.cashBack !== -1 && !isAmount(input.cashBack, 0)) return 'cashBack';
  if (!Number.isSafeInteger(input.sub) || input.sub < 0 || input.sub > SUB_ACCOUNT_MAX) return 'sub';
  if (input.fees.length > FEES_MAX || !input.fees.every(isFee)) return 'fees';
  for (const [name, width] of texts) if (!isText(input[name], width)) return name;
  return undefined;
}

const isCurrency = (value: number): boolean => Number.isSafeInteger(value) && currencyExponent(value) >= 0;

const isFee = ({ amount, currency, sign }: ClearingFee): boolean =>
  isAmount(amount, 0) && amount <= AMOUNT_MAX && isCurrency(currency) && Math.abs(sign) <= 1 && Number.isInteger(sign);

function isText(text: string, width: number): boolean {
  if (text.length > width) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

export const SECOND_PRESENTMENT_PARTIAL = 282;
const SECOND_PRESENTMENT = [205, SECOND_PRESENTMENT_PARTIAL];
/** First two digits of DE3, beside the ones that messages have too (transaction.ts). */
const cashTypes = [1, 11, 12, 17];
/** @param type first two digits of DE3 */
export const isCashType = (type: number): boolean => cashTypes.includes(type);

export function clearingSort(input: ClearingInput): ClearingSort {
  if (SECOND_PRESENTMENT.includes(input.functionCode)) return ClearingSort.secondPresentment;
  if (isCashRecord(input)) return ClearingSort.cash;
  return isCreditRecord(input) ? ClearingSort.credit : ClearingSort.purchase;
}

/** True of a record of cash, a second presentment of some too: its interchange is paid, and what takes it back earns that again. */
export const isCashRecord = ({ processingCode }: Pick<ClearingInput, 'processingCode'>): boolean =>
  isCashType(Math.floor(processingCode / 10_000));

/** @param type first two digits of DE3 */
export const isCreditType = (type: number): boolean => type >= 20 && type <= 29;

/**
 * True of a record of a credit to the card, a second presentment of one too: its money goes the way of its first presentment, from the
 * network to us, as long as no reversal mark turns it.
 */
export const isCreditRecord = ({ processingCode }: Pick<ClearingInput, 'processingCode'>): boolean =>
  isCreditType(Math.floor(processingCode / 10_000));

/** Marked as one of several clearings, and not the last of them. */
export const isOneOfSeveral = ({ partial, sequence, count }: ClearingInput): boolean =>
  partial === 1 || (sequence > 0 && sequence < count);

/** True when both are the same record of the network: what may be posted once. */
export function isSameItem(a: ClearingInput, b: ClearingInput): boolean {
  return isSameExceptMark(a, b) && a.reversal === b.reversal;
}

/** A message type says nothing of the reversal mark; the transaction codes 25, 26 and 27 are 5, 6 and 7 with it. */
const typeOf = (mti: number): number => (mti >= 25 && mti <= 27 ? mti - 20 : mti);

/** As `isSameItem` for a record and the one that takes it back. */
export function isSameExceptMark(a: ClearingInput, b: ClearingInput): boolean {
  return (
    a.arn === b.arn &&
    typeOf(a.mti) === typeOf(b.mti) &&
    a.functionCode === b.functionCode &&
    Math.floor(a.processingCode / 10_000) === Math.floor(b.processingCode / 10_000) &&
    a.sequence === b.sequence
  );
}

/** True when both name the same money. */
export function hasSameAmounts(a: ClearingInput, b: ClearingInput): boolean {
  return amounts.every(([amount, currency]) => a[amount] === b[amount] && a[currency] === b[currency]);
}
