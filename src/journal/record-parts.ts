/** Parts of plain records that several kinds have, or that are long: how each is written, and read again. */
import type { ClearingFee, ClearingInput } from '../domain/clearing/input.js';
import type { FieldValue } from '../domain/compare-totals.js';
import type { EntryLeg, Posting } from '../domain/events.js';
import type { Counted, Total } from '../domain/totals.js';
import { MsgpackError, type MsgpackReader, type MsgpackWriter } from './msgpack.js';

export function writeNumbers(out: MsgpackWriter, ...values: number[]): void {
  out.reserve(values.length * 9);
  for (const value of values) out.integer(value);
}

export function writePostings(out: MsgpackWriter, legs: readonly Posting[]): void {
  out.arrayHeader(legs.length * 2);
  for (const leg of legs) writeNumbers(out, leg.glAccount, leg.amount);
}

export function readPostings(reader: MsgpackReader): Posting[] {
  const count = reader.arrayHeader() / 2;
  const postings: Posting[] = [];
  for (let i = 0; i < count; i++) postings.push({ glAccount: reader.integer(), amount: reader.integer() });
  return postings;
}

export function writeEntryLegs(out: MsgpackWriter, legs: readonly EntryLeg[]): void {
  out.arrayHeader(legs.length * 4);
  for (const leg of legs) writeNumbers(out, leg.glAccount, leg.currency, leg.sub, leg.amount);
}

export function readEntryLegs(reader: MsgpackReader): EntryLeg[] {
  const count = reader.arrayHeader() / 4;
  const legs: EntryLeg[] = [];
  for (let i = 0; i < count; i++) {
    const glAccount = reader.integer();
    const currency = reader.integer();
    const sub = reader.integer();
    legs.push({ glAccount, currency, sub, amount: reader.integer() });
  }
  return legs;
}

/** Members of a clearing record that are numbers and texts, in the order of the format. */
const clearingNumbers = [
  'record',
  'mti',
  'functionCode',
  'processingCode',
  'amount',
  'currency',
  'settlementAmount',
  'settlementCurrency',
  'billingAmount',
  'billingCurrency',
  'network',
  'sub',
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
] as const satisfies (keyof ClearingInput)[];
const clearingTexts = [
  'arn',
  'networkId',
  'rrn',
  'approvalCode',
  'acquirer',
  'terminal',
  'acceptor',
  'acceptorName',
] as const satisfies (keyof ClearingInput)[];

export function writeClearingInput(out: MsgpackWriter, input: ClearingInput): void {
  out.arrayHeader(clearingNumbers.length + clearingTexts.length + 2);
  out.reserve(clearingNumbers.length * 9);
  for (const name of clearingNumbers) out.integer(input[name]);
  for (const name of clearingTexts) out.text(input[name]);
  out.arrayHeader(input.fees.length * 3);
  for (const { amount, currency, sign } of input.fees) writeNumbers(out, amount, currency, sign);
  out.integer(input.cashBack);
}

export function readClearingInput(reader: MsgpackReader): ClearingInput {
  const members = reader.arrayHeader();
  // Records of earlier releases end with the fees.
  const known = clearingNumbers.length + clearingTexts.length + 2;
  if (members !== known && members !== known - 1)
    throw new MsgpackError(`a clearing record has ${known} members, not ${members}`);
  const input = { fees: [] as ClearingFee[] } as unknown as ClearingInput;
  for (const name of clearingNumbers) input[name] = reader.integer();
  for (const name of clearingTexts) input[name] = reader.text();
  const fees = reader.arrayHeader() / 3;
  for (let i = 0; i < fees; i++) {
    input.fees.push({ amount: reader.integer(), currency: reader.integer(), sign: reader.integer() });
  }
  input.cashBack = members === known ? reader.integer() : -1;
  return input;
}

export function writeFieldValues(out: MsgpackWriter, fields: readonly FieldValue[]): void {
  out.arrayHeader(fields.length * 2);
  for (const { field, value } of fields) writeNumbers(out, field, value);
}

export function readFieldValues(reader: MsgpackReader): FieldValue[] {
  const count = reader.arrayHeader() / 2;
  const fields: FieldValue[] = [];
  for (let i = 0; i < count; i++) fields.push({ field: reader.integer(), value: reader.integer() });
  return fields;
}

export function writeCounted(out: MsgpackWriter, message: Counted | undefined): void {
  out.arrayHeader(message === undefined ? 0 : 7);
  if (message === undefined) return;
  const { link, acquirer, day, currency, total, amount, number } = message;
  writeNumbers(out, link, acquirer, day, currency, total, amount, number);
}

export function readCounted(reader: MsgpackReader): Counted | undefined {
  const length = reader.arrayHeader();
  if (length === 0) return undefined;
  return {
    link: reader.integer(),
    acquirer: reader.integer(),
    day: reader.integer(),
    currency: reader.integer(),
    total: reader.integer() as Total,
    amount: reader.integer(),
    number: length === 6 ? 1 : reader.integer(),
  };
}
