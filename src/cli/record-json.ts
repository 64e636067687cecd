/**
 * Journal records as JSON for people and scripts: numbers of the format become words, absent fields are left out. A record
 * holds no card number, so there is nothing to mask but first six and last four, which are shown as a mask.
 */

import { approvalCodeText } from '../domain/approval-code.js';
import { ClearingFlag, ClearingSort, MatchRung } from '../domain/clearing/codes.js';
import { checkOutcomes, codeName, snakeCase } from '../domain/code-names.js';
import {
  AccountStatus,
  AccountType,
  CardStatus,
  DeviceFailure,
  ElementKind,
  EventKind,
  Reason,
  responseText,
  Step,
  Verdict,
} from '../domain/codes.js';
import { ControlKind } from '../domain/controls/verdict.js';
import type { MessageEvent, PlainEvent, Posting } from '../domain/events.js';
import { HoldFlag } from '../domain/hold-table.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { ABSENT, Carried, type MessageInput, Text } from '../domain/message.js';
import { CounterChanges } from '../domain/velocity/counter-changes.js';
import { dialectNames } from '../iso8583/dialects.js';

export type JsonObject = Record<string, unknown>;

/** RFC 3339, UTC; a number that is no time stays a number. */
export function timeText(timeMs: number): string {
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
    ...(event.approvalCode < 0 ? {} : { approval_code: approvalCodeText(event.approvalCode) }),
    approved_amount: event.approvedAmount,
    hold_delta: event.holdDelta,
    ...(event.holdExpiresMs === 0 ? {} : { hold_expires: timeText(event.holdExpiresMs) }),
    ...(event.authorizedAfter === 0 ? {} : { authorized_after: event.authorizedAfter }),
    ...(event.originalSequence === 0 ? {} : { original_sequence: event.originalSequence }),
    ...effects(event),
    ...(event.tombstone === 0 ? {} : { tombstone: true }),
    ...(event.previousOfAccount === 0 ? {} : { previous_of_account: event.previousOfAccount }),
    ...(event.previousOfCard === 0 ? {} : { previous_of_card: event.previousOfCard }),
    before: { credit_limit: event.creditLimitBefore, posted: event.postedBefore, held: event.heldBefore },
    verdicts: verdicts(event),
    input: inputObject(event.input),
  };
}

/** What only some messages have (journal/message-effects.ts). */
function effects(event: MessageEvent): JsonObject {
  const object: JsonObject = {};
  if (event.elementSequence !== 0) object.element_sequence = event.elementSequence;
  if (event.tokenSlot >= 0) object.token_slot = event.tokenSlot;
  if (event.holdPlaced === 1) object.hold_placed = true;
  if (event.holdFlags !== 0) object.hold_flags = bitNames(HoldFlag, event.holdFlags);
  if (event.cardStatusAfter !== 0) object.card_status_after = codeName(CardStatus, event.cardStatusAfter);
  if (event.windowLagMs !== 0) object.window_lag_ms = event.windowLagMs;
  if (event.countedNumber >= 0) object.counted = { number: event.countedNumber, amount: event.countedAmount };
  if (event.programRevision !== 0) object.program_revision = event.programRevision;
  if (event.findingCount > 0) object.finding = findingObject(event);
  if (event.rulesAsked > 0) object.rules = rulesObject(event);
  if (event.cardReadings + event.accountReadings > 0) object.readings = readingsObject(event);
  if (event.checked === 1) object.checks = checksObject(event);
  if (event.deviceWaitUs >= 0) object.device = deviceObject(event);
  if (event.changes.count > 0) object.changes = changeObjects(event.changes);
  if (event.postings.count > 0) object.postings = postingObjects(event.postings.toList());
  return object;
}

function bitNames(table: Readonly<Record<string, number>>, bits: number): string[] {
  return Object.entries(table)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => snakeCase(name));
}

/** Names of the numbers behind a finding's kind (events.ts). */
const findingNames = ['level', 'source', 'index', 'limit', 'before', 'attempted'];

function findingObject({ finding, findingCount }: MessageEvent): JsonObject {
  const [kind, ...numbers] = Array.from(finding.subarray(0, findingCount));
  const named = numbers.map((value, i) => [findingNames[i]!, value] as const);
  return { kind: codeName(ControlKind, kind!), ...Object.fromEntries(named) };
}

/** Outcomes of card cryptography, and what they changed. The answer to the chip is of no use to a reader. */
function checksObject(event: MessageEvent): JsonObject {
  return {
    ...checkOutcomes(event),
    ...(event.pinTriesAfter < 0 ? {} : { pin_tries_after: event.pinTriesAfter }),
    ...(event.counter < 0 ? {} : { counter_read: event.counter, highest_counter_before: event.counterBefore }),
  };
}

function deviceObject({ deviceWaitUs, deviceFailure }: MessageEvent): JsonObject {
  const failure = deviceFailure === DeviceFailure.none ? {} : { failure: codeName(DeviceFailure, deviceFailure) };
  return { wait_us: deviceWaitUs, ...failure };
}

function rulesObject({ rulesAsked, decidingRule, ruleBits }: MessageEvent): JsonObject {
  const matched: number[] = [];
  for (let rule = 0; rule < rulesAsked; rule++) if ((ruleBits[rule >> 3]! >> (rule & 7)) & 1) matched.push(rule);
  return { asked: rulesAsked, matched, ...(decidingRule < 0 ? {} : { deciding: decidingRule }) };
}

/** Amount and count of each window before the message, the card's and then the account's. */
function readingsObject({ readings, cardReadings, accountReadings }: MessageEvent): JsonObject {
  const pairs = Array.from({ length: cardReadings + accountReadings }, (_, i) => ({
    amount: readings[2 * i]!,
    count: readings[2 * i + 1]!,
  }));
  return { card: pairs.slice(0, cardReadings), account: pairs.slice(cardReadings) };
}

/** The owner of a counter is an account, or the oldest card of a chain of replacements. */
function changeObjects(changes: CounterChanges): JsonObject[] {
  return Array.from({ length: changes.count }, (_, i) => {
    const owner = changes.owner[i]!;
    const slot = Math.floor(owner / 2);
    return {
      ...(owner % 2 === 1 ? { account_slot: slot } : { card_slot: slot }),
      key: changes.key[i]!,
      bucket: changes.bucket[i]!,
      amount: changes.amount[i]!,
      uses: changes.uses[i]!,
    };
  });
}

function postingObjects(postings: readonly Posting[]): JsonObject[] {
  return postings.map(({ glAccount, amount }) => ({ gl_account: glAccount, amount }));
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
  fileCode: 2,
};

const DAY_MS = 86_400_000;

const amounts = ['amount', 'billingAmount', 'replacementAmount', 'cashBack', 'threeDSecureLevel'] as const;

/** Fields that hold the code of a character, 0 when absent. */
const letters = { functionCode: 'function', adviceReason: 'advice_reason', fileAction: 'file_action' } as const;

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
  for (const [name, shown] of Object.entries(letters)) {
    const code = input[name as keyof typeof letters];
    if (code !== 0) object[shown] = String.fromCharCode(code);
  }
  if (input.businessDay !== ABSENT) object.business_day = timeText(input.businessDay * DAY_MS).slice(0, 10);
  if (input.partialSupported === 1) object.partial_supported = true;
  if (input.carried !== 0) object.carried = bitNames(Carried, input.carried);
  if (input.badField !== 0) object[input.badFieldMissing === 1 ? 'missing_field' : 'bad_field'] = input.badField;
  return object;
}

/** Columns that hold a code, and their words. */
const codeTables: Record<string, Readonly<Record<string, number>>> = { type: AccountType, entry: EntryKind };

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
    if (name === 'expiry' || name === 'fingerprint' || name === 'serviceCode' || name === 'changes') continue;
    const table = name === 'status' ? statuses : codeTables[name];
    object[snakeCase(name)] = table === undefined ? plainValue(value) : codeName(table, value as number);
  }
  if ('changes' in event && event.changes.length > 0) {
    const changes = new CounterChanges();
    changes.unpack(event.changes, 0, event.changes.length);
    object.changes = changeObjects(changes);
  }
  if (event.kind === EventKind.entryPosted) {
    object.day = timeText(event.day * DAY_MS).slice(0, 10);
  }
  if (event.kind === EventKind.clearingPosted) {
    object.sort = codeName(ClearingSort, event.sort);
    object.rung = codeName(MatchRung, event.rung);
    object.flags = bitNames(ClearingFlag, event.flags);
    object.hold_flags = bitNames(HoldFlag, event.holdFlags);
    if (event.windowLagMs === 0) delete object.window_lag_ms;
  }
  if (event.kind === EventKind.pinReferenceSet) {
    object.set = event.sealed.length > 0;
    delete object.sealed;
  }
  if (event.kind === EventKind.fingerprintChanged) delete object.sealed;
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
