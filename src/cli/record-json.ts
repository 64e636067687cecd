/**
 * Journal records as JSON for people and scripts: numbers of the format become words, absent fields are left out. A record
 * holds no card number, so there is nothing to mask but first six and last four, which are shown as a mask.
 */
import {
  AccountStatus,
  AccountType,
  CardStatus,
  ElementKind,
  EventKind,
  Reason,
  responseText,
  Step,
  Verdict,
} from '../domain/codes.js';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { ABSENT, Carried, type MessageInput, Text } from '../domain/message.js';
import { dialectNames } from '../iso8583/dialects.js';

export type JsonObject = Record<string, unknown>;

/** Name of a number in one of the tables of codes.ts, in snake case. */
export function codeName(table: Readonly<Record<string, number>>, code: number): string {
  const name = Object.keys(table).find((key) => table[key] === code) ?? `code_${code}`;
  return snakeCase(name);
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** RFC 3339, UTC; a number that is no time stays a number. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

export function messageObject(shard: number, event: MessageEvent): JsonObject {
  return {
    shard,
    sequence: event.sequence,
    time: timeText(event.timeMs),
    kind: 'message',
    element: codeName(ElementKind, event.element),
    ...(event.accountSlot < 0 ? {} : { account_slot: event.accountSlot }),
    ...(event.cardSlot < 0 ? {} : { card_slot: event.cardSlot }),
    response_code: responseText(event.response),
    ...(event.reason === Reason.none ? {} : { reason: codeName(Reason, event.reason) }),
    ...(event.approvalCode < 0 ? {} : { approval_code: digits(event.approvalCode, 6) }),
    approved_amount: event.approvedAmount,
    hold_delta: event.holdDelta,
    ...(event.holdExpiresMs === 0 ? {} : { hold_expires: timeText(event.holdExpiresMs) }),
    ...(event.originalSequence === 0 ? {} : { original_sequence: event.originalSequence }),
    ...(event.tombstone === 0 ? {} : { tombstone: true }),
    ...(event.previousOfAccount === 0 ? {} : { previous_of_account: event.previousOfAccount }),
    ...(event.previousOfCard === 0 ? {} : { previous_of_card: event.previousOfCard }),
    before: { credit_limit: event.creditLimitBefore, posted: event.postedBefore, held: event.heldBefore },
    verdicts: verdicts(event),
    input: inputObject(event.input),
  };
}

function verdicts(event: MessageEvent): JsonObject {
  const list: JsonObject = {};
  for (let i = 0; i < event.verdictCount; i++) {
    list[codeName(Step, event.verdicts[2 * i]!)] = codeName(Verdict, event.verdicts[2 * i + 1]!);
  }
  return list;
}

/** Fields with a fixed number of digits. */
const widths: Partial<Record<keyof MessageInput, number>> = {
  mti: 4,
  processingCode: 6,
  currency: 3,
  billingCurrency: 3,
  transmission: 10,
  stan: 6,
  localTime: 6,
  localDate: 4,
  expiry: 4,
  settlementDate: 4,
  mcc: 4,
  country: 3,
  entryMode: 3,
  cardSequence: 3,
  condition: 2,
  originalMti: 4,
  originalStan: 6,
  originalTransmission: 10,
};

const amounts = ['amount', 'billingAmount', 'replacementAmount', 'threeDSecureLevel'] as const;

function inputObject(input: MessageInput): JsonObject {
  const object: JsonObject = { dialect: dialectNames[input.dialect] ?? input.dialect, link: input.link };
  for (const [name, width] of Object.entries(widths)) {
    const value = input[name as keyof MessageInput] as number;
    // The expiry date belongs to the card data that is not shown.
    if (value !== ABSENT && name !== 'expiry') object[snakeCase(name)] = digits(value, width);
  }
  for (const name of amounts) if (input[name] !== ABSENT) object[snakeCase(name)] = input[name];
  for (const [name, which] of Object.entries(Text)) {
    if (input.textLength[which]! > 0) object[snakeCase(name)] = input.textOf(which);
  }
  if (input.functionCode !== 0) object.function = String.fromCharCode(input.functionCode);
  if (input.partialSupported === 1) object.partial_supported = true;
  const carried = Object.entries(Carried).filter(([, bit]) => (input.carried & bit) !== 0);
  if (carried.length > 0) object.carried = carried.map(([name]) => snakeCase(name));
  if (input.badField !== 0) object[input.badFieldMissing === 1 ? 'missing_field' : 'bad_field'] = input.badField;
  return object;
}

/** Columns that hold a code, and their words. */
const codeTables: Record<string, Readonly<Record<string, number>>> = { type: AccountType };

export function eventObject(shard: number, event: PlainEvent): JsonObject {
  const { kind, sequence, timeMs, ...rest } = event;
  const object: JsonObject = {
    shard,
    sequence,
    time: timeText(timeMs),
    kind: codeName(EventKind, kind),
  };
  const statuses = kind === EventKind.cardCreated || kind === EventKind.cardUpdated ? CardStatus : AccountStatus;
  for (const [name, value] of Object.entries(rest)) {
    if (name === 'expiry' || name === 'fingerprint' || name === 'serviceCode') continue;
    const table = name === 'status' ? statuses : codeTables[name];
    object[snakeCase(name)] = table === undefined ? plainValue(value) : codeName(table, value as number);
  }
  if (event.kind === EventKind.cardCreated) {
    object.masked_pan = `${digits(event.bin, 6)}${'*'.repeat(event.panLength - 10)}${digits(event.last4, 4)}`;
    for (const name of ['bin', 'last4', 'pan_length']) delete object[name];
  }
  return object;
}

function plainValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snakeCase(name), plainValue(inner)]));
}
