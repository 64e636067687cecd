import { describe, expect, it } from 'vitest';
import { eventObject, type JsonObject, messageObject } from '#src/cli/record-json.js';
import { CardStatus, ElementKind, EventKind } from '#src/domain/codes.js';
import { ControlKind } from '#src/domain/controls/verdict.js';
import type { MessageEvent, NotDelivered } from '#src/domain/events.js';
import { HoldFlag } from '#src/domain/hold-table.js';
import { accountOwner, CounterChanges, cardOwner } from '#src/domain/velocity/counter-changes.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { empty, sampleMessage, samplePlain } from '../journal/samples.js';

/** A message with every effect that a record may have. */
function eventfulMessage(): MessageEvent {
  const event = sampleMessage(8);
  event.element = ElementKind.reversal;
  Object.assign(event, { originalSequence: 3, elementSequence: 5, tokenSlot: 2, holdPlaced: 1, authorizedAfter: 900 });
  event.holdFlags = HoldFlag.refund | HoldFlag.counted;
  Object.assign(event, { windowLagMs: 86_400_000, countedNumber: 0, countedAmount: -75 });
  Object.assign(event, { deviceWaitUs: 1200, deviceFailure: 7 });
  event.cardStatusAfter = CardStatus.stolen;
  event.programRevision = 4;
  event.findingCount = event.finding.length;
  event.finding.set([ControlKind.amountVelocity, 1, 2, 0, 5000, 4900, 200]);
  event.rulesAsked = 10;
  event.decidingRule = 9;
  event.ruleBits.set([0b100, 0b10]);
  event.cardReadings = 1;
  event.accountReadings = 1;
  event.readings.set([4900, 7, 12, 3]);
  event.changes.add(cardOwner(6), 77, 1, -250, -1);
  event.changes.add(accountOwner(4), 78, 2, 250, 1);
  event.postings.add(1100, -250);
  event.postings.add(2100, 250);
  Object.assign(event.input, { cashBack: 300, fileCode: 4, businessDay: 20_000 });
  event.input.adviceReason = 'S'.charCodeAt(0);
  event.input.fileAction = '1'.charCodeAt(0);
  return event;
}

function rollBack(): NotDelivered {
  const given = new CounterChanges();
  given.add(cardOwner(6), 77, 1, -250, -1);
  const bytes = new Uint8Array(given.packedMax);
  return {
    ...{ kind: EventKind.notDelivered, sequence: 9, timeMs: 0, accountSlot: 0, cardSlot: 0, originalSequence: 3 },
    ...{ authorizationSequence: 2, authorizedAfter: 0, holdDelta: 0, previousOfAccount: 0, previousOfCard: 0 },
    counted: undefined,
    postings: [{ glAccount: 1100, amount: -250 }],
    changes: bytes.subarray(0, given.pack(bytes, 0)),
  };
}

/** One record of every kind, as the journal hands them out. */
const records: JsonObject[] = [];
const store = new MemoryStore();
const journal = new ShardJournal(0, empty(0));
for (const event of samplePlain()) journal.appendEvent(event);
const message = sampleMessage(7);
message.previousOfAccount = 4;
journal.appendMessage(message);
journal.appendMessage(eventfulMessage());
new EmbeddedLane(store).append([journal.seal(1, { high: 0, low: 0 })]);
const scan = JournalReader.ofStore(store, 'memory').scan(0, 1);
scan.onEvent = (event) => records.push(eventObject(0, event));
scan.onMessage = (event) => records.push(messageObject(0, event));
while (scan.step(100));
const messages = records.slice(-2);

describe('records as JSON', () => {
  it('says every kind in words', () => {
    const kinds = [
      ...['account_created', 'account_updated', 'card_created', 'card_updated', 'not_delivered', 'hold_expired'],
      ...[
        'program_applied',
        'controls_set',
        'payment',
        'entry_posted',
        'entry_posted',
        'entry_posted',
        'entry_posted',
        'clearing_posted',
        'accrual_marked',
        'statement_closed',
        'poison',
        'unknown_card_count',
        'idempotency',
      ],
      ...['totals_compared', 'fingerprint_changed', 'pin_reference_set', 'message', 'message'],
    ];
    expect(records.map((record) => `${record.sequence} ${record.kind}`)).toEqual(
      kinds.map((kind, i) => `${i + 1} ${kind}`),
    );
    expect(records.find(({ kind }) => kind === 'entry_posted')).toMatchObject({
      entry: 'settlement',
      note: 'paid late, as é agreed',
    });
    expect(records[0]).toMatchObject({
      id: 'acc_1.A-z',
      type: 'credit',
      credit_limit: 500_000,
      time: '2026-09-21T14:13:20.123Z',
    });
    expect(records[1]).toMatchObject({ status: 'frozen' });
    expect(records[3]).toMatchObject({ status: 'lost', previous_of_card: 3 });
    expect(records.find(({ kind }) => kind === 'clearing_posted')).toMatchObject({
      ...{ sort: 'purchase', rung: 'network_id', flags: ['over_cleared', 'after_expiry'], hold_flags: ['counted'] },
      ...{ file: '0012611260000000000100001', input: { record: 2, arn: '12345676330000000000012' } },
      legs: [{ gl_account: 1100, amount: 62_345 }, { gl_account: 2100, currency: 840 }, {}, {}],
    });
    const pin = records.find(({ kind }) => kind === 'pin_reference_set')!;
    expect(pin).toMatchObject({ card_slot: 5, set: true });
    expect(pin).not.toHaveProperty('sealed');
    expect(records.find(({ kind }) => kind === 'totals_compared')).toMatchObject({
      mti: 501,
      equal: 0,
      theirs: [{ field: 76, value: 3 }, { field: 97 }],
    });
    expect(messages[0]).toMatchObject({
      element: 'authorization',
      response_code: '00',
      approval_code: '000007',
      hold_expires: '2026-09-28T14:13:20.000Z',
      previous_of_account: 4,
      before: { credit_limit: 500_000, posted: -70_000, held: 33_000 },
      input: {
        dialect: 'iso87-bcd',
        mti: '0100',
        amount: 12_345,
        rrn: '000000000007',
        terminal: 'TERM0001',
        carried: ['track2', 'chip'],
      },
    });
    expect(messages[0]!.verdicts).toMatchObject({ message_type: 'pass' });
  });

  it('shows the effects that only some messages have', () => {
    expect(messages[1]).toMatchObject({
      ...{ original_sequence: 3, element_sequence: 5, token_slot: 2, hold_placed: true, authorized_after: 900 },
      hold_flags: ['refund', 'counted'],
      card_status_after: 'stolen',
      window_lag_ms: 86_400_000,
      counted: { number: 0, amount: -75 },
      device: { wait_us: 1200, failure: 'device_busy' },
      program_revision: 4,
      finding: {
        ...{ kind: 'amount_velocity', level: 1, source: 2, index: 0, limit: 5000, before: 4900, attempted: 200 },
      },
      rules: { asked: 10, matched: [2, 9], deciding: 9 },
      readings: { card: [{ amount: 4900, count: 7 }], account: [{ amount: 12, count: 3 }] },
      changes: [
        { card_slot: 6, key: 77, bucket: 1, amount: -250, uses: -1 },
        { account_slot: 4, key: 78, bucket: 2, amount: 250, uses: 1 },
      ],
      postings: [
        { gl_account: 1100, amount: -250 },
        { gl_account: 2100, amount: 250 },
      ],
      input: { cash_back: 300, advice_reason: 'S', file_action: '1', file_code: '04', business_day: '2024-10-04' },
    });
    for (const name of ['finding', 'rules', 'readings', 'changes', 'postings', 'token_slot', 'hold_flags', 'device'])
      expect(messages[0], name).not.toHaveProperty(name);
  });

  it('shows what a roll-back gave back, and posted back', () => {
    const { changes, ...event } = rollBack();
    expect(eventObject(0, { ...event, changes })).toMatchObject({
      kind: 'not_delivered',
      authorization_sequence: 2,
      changes: [{ card_slot: 6, key: 77, bucket: 1, amount: -250, uses: -1 }],
      postings: [{ gl_account: 1100, amount: -250 }],
    });
    expect(eventObject(0, { ...event, changes: new Uint8Array(0) })).not.toHaveProperty('changes');
  });

  it('leaves out what was absent', () => {
    for (const name of ['billing_amount', 'replacement_amount', 'original_mti', 'function'])
      expect(messages[0]!.input, name).not.toHaveProperty(name);
    for (const name of ['previous_of_card', 'original_sequence', 'tombstone', 'reason'])
      expect(messages[0], name).not.toHaveProperty(name);
  });

  it('is JSON and holds no fingerprint, expiry or service code', () => {
    const text = JSON.stringify(records);
    for (const secret of ['"fingerprint"', '"sealed"', '"expiry"', 'service_code', '2912'])
      expect(text).not.toContain(secret);
    expect(JSON.parse(text)).toHaveLength(records.length);
  });

  it('shows a time that is none as its number', () => {
    expect(eventObject(0, { ...samplePlain()[0]!, timeMs: 9e15 }).time).toBe('9000000000000000');
  });
});
