/**
 * The fields of the rules' language as data: name, type, range and place of each. The parser, the type check, the printer,
 * the compiler and docs/reference/rules.md all read this table (a test holds the page against it).
 *
 * If you add a field here, also: fill its slot in facts.ts and describe it in docs/reference/rules.md. Names are part of
 * the rules that operators have stored: never rename one or change its type, only add.
 */
import { AMOUNT_MAX, CREDIT_LIMIT_MAX } from '../../limits.js';
import { Carried, Text } from '../message.js';

/**
 * What a field holds, and so what it may be compared with:
 * `money` minor units of the account's currency · `transaction_money` minor units of the merchant's · `number` a plain count ·
 * `code` digits that name something, no quantity · `country`, `currency` ISO letters · `word` one of a few words · `text` an
 * identifier, byte by byte · `flag` true or false, always known · `data` something whose presence alone is known.
 */
export type FieldType =
  | 'money'
  | 'transaction_money'
  | 'number'
  | 'code'
  | 'country'
  | 'currency'
  | 'word'
  | 'text'
  | 'flag'
  | 'data';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** True when it can be absent; what is always there has no use for `present`. */
  readonly optional: boolean;
  /** Where its value lies: a `Slot` of the facts, for `text` a `Text` of the message, for `data` a bit of `Carried`. */
  readonly at: number;
  /** Range of a value that is a number. */
  readonly min: number;
  readonly max: number;
  /** Digits of a code as people write it; most characters of a text. */
  readonly width: number;
  /** The words of a `word` in the order of their numbers. */
  readonly words: readonly string[];
}

/** Slots of `RuleFacts.numbers`. They are in no record, so they may be renumbered. */
export const Slot = {
  amount: 0,
  transactionAmount: 1,
  transactionCurrency: 2,
  mti: 3,
  type: 4,
  mcc: 5,
  country: 6,
  channel: 7,
  entryMode: 8,
  condition: 9,
  function: 10,
  threeDSecure: 11,
  partialAllowed: 12,
  hour: 13,
  weekday: 14,
  localHour: 15,
  cardAge: 16,
  cardStatus: 17,
  cardBin: 18,
  accountAvailable: 19,
  accountPosted: 20,
  accountHeld: 21,
  accountLimit: 22,
  accountUtilization: 23,
  accountStatus: 24,
  accountType: 25,
  accountCurrency: 26,
  accountAge: 27,
  atm: 28,
  /** Time of the message in ms since 1970; no field, what ages are counted to. */
  now: 29,
  /** Counters: count and amount of each window, one behind the other. */
  counters: 30,
} as const;

/** Kinds of transactions by the first two digits of DE3 (section 2 of the domain rules). */
export const transactionTypes = [
  'purchase',
  'cash',
  'cash_back',
  'account_funding',
  'quasi_cash',
  'cash_disbursement',
  'refund',
  'credit',
  'inquiry',
  'verification',
] as const;

/** How the card was read: the channels of a card's controls. Their `atm` is a flag here, because cash has one of these too. */
export const channels = ['manual', 'magstripe', 'chip', 'contactless', 'ecommerce'] as const;

/** Meanings of DE48 tag 20. */
export const messageFunctions = ['normal', 'estimated', 'final', 'increment', 'replacement'] as const;
export const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** In the order of their codes, which begin at 1. */
const cardStatuses = ['inactive', 'active', 'paused', 'lost', 'stolen', 'closed', 'expired'];
const accountStatuses = ['open', 'frozen', 'closed'];
const accountTypes = ['credit', 'prepaid', 'debit'];

const safe = Number.MAX_SAFE_INTEGER;
const none: readonly string[] = [];
/** Days from the first card to the year 2100. */
const DAYS_MAX = 50_000;

type Row = Omit<Field, 'name' | 'optional'>;
const row = (type: FieldType, at: number, min: number, max: number, width = 0, words = none): Row => {
  return { type, at, min, max, width, words };
};
const code = (at: number, width: number): Row => row('code', at, 0, 10 ** width - 1, width);
const word = (at: number, words: readonly string[]): Row => row('word', at, 0, words.length - 1, 0, words);
const text = (at: number, width: number): Row => row('text', at, 0, 0, width);
const data = (bit: number): Row => row('data', bit, 0, 0);

const always: Readonly<Record<string, Row>> = {
  mti: code(Slot.mti, 4),
  partial_allowed: row('flag', Slot.partialAllowed, 0, 1),
  atm: row('flag', Slot.atm, 0, 1),
  hour: row('number', Slot.hour, 0, 23),
  weekday: word(Slot.weekday, weekdays),
  'card.age_days': row('number', Slot.cardAge, 0, DAYS_MAX),
  'card.status': word(Slot.cardStatus, cardStatuses),
  'card.bin': row('code', Slot.cardBin, 0, 99_999_999, 6),
  'account.available': row('money', Slot.accountAvailable, -safe, safe),
  'account.posted': row('money', Slot.accountPosted, -safe, safe),
  'account.held': row('money', Slot.accountHeld, 0, safe),
  'account.limit': row('money', Slot.accountLimit, 0, CREDIT_LIMIT_MAX),
  'account.status': word(Slot.accountStatus, accountStatuses),
  'account.type': word(Slot.accountType, accountTypes),
  'account.currency': row('currency', Slot.accountCurrency, 0, 999),
  'account.age_days': row('number', Slot.accountAge, 0, DAYS_MAX),
};

const optional: Readonly<Record<string, Row>> = {
  amount: row('money', Slot.amount, 0, AMOUNT_MAX),
  transaction_amount: row('transaction_money', Slot.transactionAmount, 0, AMOUNT_MAX),
  transaction_currency: row('currency', Slot.transactionCurrency, 0, 999),
  type: word(Slot.type, transactionTypes),
  mcc: code(Slot.mcc, 4),
  country: row('country', Slot.country, 0, 999),
  channel: word(Slot.channel, channels),
  entry_mode: code(Slot.entryMode, 2),
  condition: code(Slot.condition, 2),
  function: word(Slot.function, messageFunctions),
  three_d_secure: code(Slot.threeDSecure, 3),
  local_hour: row('number', Slot.localHour, 0, 23),
  terminal: text(Text.terminal, 8),
  merchant: text(Text.acceptor, 15),
  merchant_name: text(Text.acceptorName, 40),
  acquirer: text(Text.acquirer, 11),
  forwarder: text(Text.forwarder, 11),
  'account.utilization': row('number', Slot.accountUtilization, 0, safe),
  track1: data(Carried.track1),
  track2: data(Carried.track2),
  pin: data(Carried.pin),
  chip: data(Carried.chip),
  cvv2: data(Carried.cvv2),
  address: data(Carried.addressCheck),
};

const list = (rows: Readonly<Record<string, Row>>, isOptional: boolean): Field[] =>
  Object.entries(rows).map(([name, facts]) => ({ name, optional: isOptional, ...facts }));

/** Every field, by name. */
export const fields: ReadonlyMap<string, Field> = new Map(
  [...list(always, false), ...list(optional, true)].map((field) => [field.name, field]),
);

/** Institution ids are compared without leading zeros, as everywhere (src/domain/texts.ts): DE90 pads them. */
export function isInstitution(field: Field): boolean {
  return field.type === 'text' && (field.at === Text.acquirer || field.at === Text.forwarder);
}

/** Lists of a field with few values are looked up in a bit map of at most 1 250 bytes. */
export function hasBitMap(field: Field): boolean {
  return field.type !== 'text' && field.type !== 'data' && field.min === 0 && field.max < 10_000;
}
