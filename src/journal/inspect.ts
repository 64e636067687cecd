/**
 * Records as plain objects with words instead of numbers: for `inspect`, `explain` and exports. A record holds no PAN, no
 * track and no cryptogram, so nothing has to be masked here; fingerprints of unknown cards are left out.
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
import type { DomainEvent, MessageEvent, PlainEvent } from '../domain/events.js';
import { ABSENT, Carried, type MessageInput, Text } from '../domain/message.js';
import type { JournalReader } from './reader.js';

/** One record, ready for JSON. */
export interface InspectedRecord {
  shard: number;
  sequence: number;
  /** RFC 3339, UTC. */
  time: string;
  kind: string;
  [member: string]: unknown;
}

const snake = (word: string): string => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Snake-case words of a table of codes, by number. */
function words(table: Record<string, number>): (code: number) => string {
  const names = new Map(Object.entries(table).map(([name, code]) => [code, snake(name)]));
  return (code) => names.get(code) ?? `code_${code}`;
}

const kindName = words(EventKind);
const elementName = words(ElementKind);
const reasonName = words(Reason);
const stepName = words(Step);
const verdictName = words(Verdict);
const accountStatusName = words(AccountStatus);
const accountTypeName = words(AccountType);
const cardStatusName = words(CardStatus);

/** Any record of a shard as a plain object. */
export function inspectEvent(shard: number, event: DomainEvent): InspectedRecord {
  const head = { shard, sequence: event.sequence, time: timeText(event.timeMs), kind: kindName(event.kind) };
  return event.kind === EventKind.message
    ? { ...head, ...describeMessage(event) }
    : { ...head, ...describePlain(event) };
}

/** Visits the records of a shard from a sequence on, verified, until the visitor returns false. */
export function inspectJournal(
  reader: JournalReader,
  shard: number,
  fromSequence: number,
  visit: (record: InspectedRecord) => boolean | undefined,
): void {
  const scan = reader.scan(shard, fromSequence);
  let going = true;
  const show = (event: DomainEvent): void => {
    if (going) going = visit(inspectEvent(shard, event)) !== false;
  };
  scan.onMessage = show;
  scan.onEvent = show;
  while (going && scan.step(1));
}

function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

function describeMessage(event: MessageEvent): Record<string, unknown> {
  const verdicts: { step: string; verdict: string }[] = [];
  for (let i = 0; i < event.verdictCount; i++)
    verdicts.push({ step: stepName(event.verdicts[i * 2]!), verdict: verdictName(event.verdicts[i * 2 + 1]!) });
  return {
    element: elementName(event.element),
    response_code: responseText(event.response),
    reason: reasonName(event.reason),
    account_slot: event.accountSlot,
    card_slot: event.cardSlot,
    approval_code: event.approvalCode < 0 ? null : String(event.approvalCode).padStart(6, '0'),
    approved_amount: event.approvedAmount,
    hold_delta: event.holdDelta,
    hold_expires: event.holdExpiresMs === 0 ? null : timeText(event.holdExpiresMs),
    original_sequence: event.originalSequence,
    tombstone: event.tombstone === 1,
    before: { credit_limit: event.creditLimitBefore, posted: event.postedBefore, held: event.heldBefore },
    previous_of_account: event.previousOfAccount,
    previous_of_card: event.previousOfCard,
    verdicts,
    input: describeInput(event.input),
  };
}

function describeInput(input: MessageInput): Record<string, unknown> {
  const described: Record<string, unknown> = { mti: String(input.mti).padStart(4, '0') };
  for (const [name, value] of Object.entries(input)) {
    if (typeof value !== 'number' || value === ABSENT || name === 'mti' || name === 'carried') continue;
    described[snake(name)] = name === 'functionCode' ? (value === 0 ? null : String.fromCharCode(value)) : value;
  }
  described.carried = Object.entries(Carried)
    .filter(([, bit]) => (input.carried & bit) !== 0)
    .map(([name]) => snake(name));
  for (const [name, which] of Object.entries(Text)) {
    const text = input.textOf(which);
    if (text !== '') described[snake(name)] = text;
  }
  return described;
}

function describePlain(event: PlainEvent): Record<string, unknown> {
  const described: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event)) {
    if (name === 'kind' || name === 'sequence' || name === 'timeMs' || name === 'fingerprint') continue;
    described[snake(name)] = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  }
  if (event.kind === EventKind.accountCreated) described.type = accountTypeName(event.type);
  if (event.kind === EventKind.accountUpdated) described.status = accountStatusName(event.status);
  if (event.kind === EventKind.cardCreated || event.kind === EventKind.cardUpdated)
    described.status = cardStatusName(event.status);
  return described;
}
