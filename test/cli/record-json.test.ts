import { describe, expect, it } from 'vitest';
import { eventObject, type JsonObject, messageObject } from '../../src/cli/record-json.js';
import { EmbeddedLane } from '../../src/journal/lanes.js';
import { JournalReader } from '../../src/journal/reader.js';
import { ShardJournal } from '../../src/journal/shard-journal.js';
import { MemoryStore } from '../../src/store/memory-store.js';
import { empty, sampleMessage, samplePlain } from '../journal/samples.js';

/** One record of every kind, as the journal hands them out. */
const records: JsonObject[] = [];
const store = new MemoryStore();
const journal = new ShardJournal(0, empty(0));
for (const event of samplePlain()) journal.appendEvent(event);
const message = sampleMessage(7);
message.previousOfAccount = 4;
journal.appendMessage(message);
new EmbeddedLane(store).append([journal.seal(1, { high: 0, low: 0 })]);
const scan = JournalReader.ofStore(store, 'memory').scan(0, 1);
scan.onEvent = (event) => records.push(eventObject(0, event));
scan.onMessage = (event) => records.push(messageObject(0, event));
while (scan.step(100));

describe('records as JSON', () => {
  it('says every kind in words', () => {
    expect(records.map((record) => `${record.sequence} ${record.kind}`)).toEqual([
      '1 account_created',
      '2 account_updated',
      '3 card_created',
      '4 card_updated',
      '5 not_delivered',
      '6 hold_expired',
      '7 program_applied',
      '8 controls_set',
      '9 payment',
      '10 poison',
      '11 unknown_card_count',
      '12 idempotency',
      '13 message',
    ]);
    expect(records[0]).toMatchObject({
      id: 'acc_1.A-z',
      type: 'credit',
      credit_limit: 500_000,
      time: '2026-09-21T14:13:20.123Z',
    });
    expect(records[1]).toMatchObject({ status: 'frozen' });
    expect(records[3]).toMatchObject({ status: 'lost', previous_of_card: 3 });
    expect(records[12]).toMatchObject({
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
    expect(records[12]!.verdicts).toMatchObject({ message_type: 'pass' });
  });

  it('leaves out what was absent', () => {
    for (const name of ['billing_amount', 'replacement_amount', 'original_mti', 'function'])
      expect(records[12]!.input, name).not.toHaveProperty(name);
    for (const name of ['previous_of_card', 'original_sequence', 'tombstone', 'reason'])
      expect(records[12], name).not.toHaveProperty(name);
  });

  it('is JSON and holds no fingerprint, expiry or service code', () => {
    const text = JSON.stringify(records);
    for (const secret of ['fingerprint', '"expiry"', 'service_code', '2912']) expect(text).not.toContain(secret);
    expect(JSON.parse(text)).toHaveLength(13);
  });

  it('shows a time that is none as its number', () => {
    expect(eventObject(0, { ...samplePlain()[0]!, timeMs: 9e15 }).time).toBe('9000000000000000');
  });
});
