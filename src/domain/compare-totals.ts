/**
 * The comparison of an acquirer's totals (0500, 0520) with ours, field by field as ISO 8583:1987 numbers them:
 *
 *   74 credits  75 reversals of them  76 debits  77 reversals of them  78 79 transfers  80 inquiries  81 authorizations
 *   82-85 fees (none here)  86 to 89 amounts of 74 to 77
 *   97 net: credit side (86 + 89) minus debit side (88 + 87), C or D; here a signed number, C positive
 *
 * A correction downwards counts on its own date (totals.ts), so what a date has of credits or debits may be below zero, which no field can
 * say. It is told on the side of their reversals: amounts less amounts of reversals, and the net, are what they are.
 */
import { TOTAL_COUNTS, Total } from './totals.js';

export interface FieldValue {
  /** 74 to 89, or 97. */
  field: number;
  /** A number, or an amount in minor units; of 97 negative for D. */
  value: number;
}

const NET = 97;
/** The amounts are each bounded by it (totals-table.ts); so is what remains of their sums. */
const MOST = Number.MAX_SAFE_INTEGER;

/** What a field tells: a number or an amount of `Total`; the fields in between are zero here. */
const NUMBERS: readonly (readonly [number, Total])[] = [
  [74, Total.credit],
  [75, Total.creditReversal],
  [76, Total.debit],
  [77, Total.debitReversal],
  [80, Total.inquiry],
  [81, Total.authorization],
];
const AMOUNTS: readonly (readonly [number, Total])[] = [
  [86, Total.credit],
  [87, Total.creditReversal],
  [88, Total.debit],
  [89, Total.debitReversal],
];

/** Amounts, and those of their reversals. */
const SIDES: readonly (readonly [number, number])[] = [
  [86, 87],
  [88, 89],
];

/** A row of totals (totals-table.ts) as the fields 74 to 89 and 97, ascending. */
export function fieldsOfTotals(values: readonly number[]): FieldValue[] {
  const byField = new Map<number, number>();
  for (const [field, total] of NUMBERS) byField.set(field, values[total] ?? 0);
  for (const [field, total] of AMOUNTS) byField.set(field, values[TOTAL_COUNTS + total] ?? 0);
  const at = (field: number): number => byField.get(field) ?? 0;
  for (const [amounts, reversals] of SIDES) {
    const below = Math.max(0, 0 - at(amounts));
    byField.set(amounts, at(amounts) + below);
    byField.set(reversals, Math.min(MOST, at(reversals) + below));
  }
  const fields: FieldValue[] = [];
  for (let field = 74; field <= 89; field++) fields.push({ field, value: at(field) });
  const net = at(86) + at(89) - at(88) - at(87);
  fields.push({ field: NET, value: Math.max(-MOST, Math.min(MOST, net)) });
  return fields;
}

/** True when every field that the acquirer sent is as ours. */
export function isInBalance(theirs: readonly FieldValue[], ours: readonly FieldValue[]): boolean {
  return theirs.every(({ field, value }) => ours.some((one) => one.field === field && one.value === value));
}
