/** The messages of a simulated card network: fields as texts, in the shape that the built-in dialects speak. */
import type { Fields } from '#src/iso8583/message.js';
import type { Random } from './random.js';

export interface Merchant {
  readonly mcc: string;
  readonly mode: string;
  readonly condition: string;
  readonly acceptor: string;
  readonly terminal: string;
  readonly name: string;
  readonly acquirer: string;
}

const merchant = (mcc: string, mode: string, condition: string, number: number, place: string): Merchant => ({
  mcc,
  mode,
  condition,
  acceptor: `MERCHANT${String(number).padStart(7, '0')}`,
  terminal: `TERM${String(number).padStart(4, '0')}`,
  name: `SHOP ${number}`.padEnd(25) + place.padEnd(13) + (place === 'SAO PAULO' ? 'BR' : 'US'),
  acquirer: String(123_000 + (number % 3)),
});

export const SHOP = merchant('5411', '051', '00', 1, 'SAO PAULO');
export const PUMP = merchant('5542', '051', '00', 2, 'SAO PAULO');
export const HOTEL = merchant('7011', '812', '59', 3, 'SAO PAULO');
export const RESTAURANT = merchant('5812', '071', '00', 4, 'SAO PAULO');
export const ATM = merchant('6011', '021', '00', 5, 'SAO PAULO');
export const WEB_SHOP = merchant('5999', '812', '59', 6, 'NEW YORK');
export const SUBSCRIPTION = merchant('5968', '100', '59', 7, 'NEW YORK');
const CASINO = merchant('7995', '071', '00', 8, 'NEW YORK');
export const merchants = [SHOP, SHOP, PUMP, HOTEL, RESTAURANT, ATM, WEB_SHOP, SUBSCRIPTION, CASINO] as const;

const two = (value: number): string => String(value).padStart(2, '0');
export const digits = (value: number, width: number): string => String(value).padStart(width, '0');

/** DE7 of a time: MMDDhhmmss, UTC. */
export function transmissionOf(timeMs: number): string {
  const date = new Date(timeMs);
  const day = two(date.getUTCMonth() + 1) + two(date.getUTCDate());
  return day + two(date.getUTCHours()) + two(date.getUTCMinutes()) + two(date.getUTCSeconds());
}

/** DE48: tag, length, value, again and again; tags without a value are left out. */
export function privateData(tags: Readonly<Record<string, string | undefined>>): string {
  let text = '';
  // Numeric names come in their order whatever was put first: the same on both sides of a shrinking.
  for (const [tag, value] of Object.entries(tags)) if (value !== undefined) text += tag + two(value.length) + value;
  return text;
}

export interface Amounts {
  /** Minor units of `currency`. */
  readonly amount: number;
  /** ISO 4217 numeric. */
  readonly currency: number;
  /** In the account's currency, when that is another one. */
  readonly billing?: { readonly amount: number; readonly currency: number };
}

export interface Draft extends Amounts {
  readonly mti: string;
  readonly processingCode: string;
  readonly pan: string;
  readonly expiry: string;
  readonly merchant: Merchant;
  readonly stan: number;
  readonly timeMs: number;
  readonly rrn: string;
  readonly networkId: string;
  readonly tags?: Readonly<Record<string, string | undefined>>;
}

/** A message about a card. */
export function draw(draft: Draft): Fields {
  const { amount, currency, billing, merchant: at, timeMs } = draft;
  const local = new Date(timeMs - 3 * 3_600_000);
  const tags = draft.tags === undefined ? '' : privateData(draft.tags);
  return {
    0: draft.mti,
    2: draft.pan,
    3: draft.processingCode,
    4: digits(amount, 12),
    ...(billing === undefined ? {} : { 6: digits(billing.amount, 12), 51: digits(billing.currency, 3) }),
    7: transmissionOf(timeMs),
    11: digits(draft.stan, 6),
    12: two(local.getUTCHours()) + two(local.getUTCMinutes()) + two(local.getUTCSeconds()),
    13: two(local.getUTCMonth() + 1) + two(local.getUTCDate()),
    14: draft.expiry,
    18: at.mcc,
    22: at.mode,
    25: at.condition,
    32: at.acquirer,
    37: draft.rrn,
    41: at.terminal,
    42: at.acceptor,
    43: at.name,
    ...(tags === '' ? {} : { 48: tags }),
    49: digits(currency, 3),
    63: draft.networkId,
  };
}

/** DE90 of a message about an earlier one; any part of it may be left out as zeros. */
export function originalData(original: Fields, withInstitutions: boolean): string {
  const acquirer = withInstitutions ? (original[32] ?? '') : '';
  return (
    (original[0] ?? '0100') +
    (original[11] ?? '000000') +
    (original[7] ?? '0000000000') +
    acquirer.padStart(11, '0') +
    '0'.repeat(11)
  );
}

/** DE95: what remains authorized, in the first 12 of its 42 digits. */
export const replacementAmount = (remains: number): string => digits(remains, 12) + '0'.repeat(30);

/** DE54 type 40: the cash part of a purchase with cash back. */
export const cashBack = (amount: number, currency: number): string =>
  `0040${digits(currency, 3)}D${digits(amount, 12)}`;

/** The repeat of a message: the same but for the last digit of its type. */
export function repeatOf(fields: Fields): Fields {
  const mti = fields[0] ?? '';
  return { ...fields, 0: `${mti.slice(0, 3)}1` };
}

/** Ways in which a message names an earlier one. */
const ways = ['network id', 'network id', 'original data', 'original data', 'rrn', 'rrn and code', 'stan'] as const;

/**
 * Fields by which a message names `original`, and the DE48 tags that go with them.
 * @param code DE38 of its approval, '' without one
 */
export function naming(
  original: Fields,
  code: string,
  random: Random,
): { fields: Fields; tags: Record<string, string | undefined> } {
  const way = random.pick(ways);
  const rrn = { 37: original[37] ?? '', 41: original[41] ?? '' };
  switch (way) {
    case 'network id':
      return { fields: {}, tags: { 63: original[63] } };
    case 'original data':
      return { fields: { 90: originalData(original, random.chance(0.7)) }, tags: {} };
    case 'rrn and code':
      return { fields: { ...rrn, ...(code === '' ? {} : { 38: code }) }, tags: {} };
    case 'rrn':
      return { fields: rrn, tags: {} };
    case 'stan':
      return { fields: { ...rrn, 11: original[11] ?? '', 7: original[7] ?? '' }, tags: {} };
  }
}
