/**
 * Elements that have outlived their authorization in the journal: whatever names them is decided without it, and reads nothing that was
 * dropped (MemoryHistory throws at such a read).
 */
import { describe, expect, it } from 'vitest';
import { MatchRung } from '#src/domain/clearing/codes.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import { MessageInput as Message, type MessageInput, Text } from '#src/domain/message.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const NOW_MS = Date.UTC(2026, 4, 20, 12);
const DAY_MS = 86_400_000;
const known = { card: 0, fingerprint: [0, 0, 0] as const };
const increment = 'I'.charCodeAt(0);

function bookWithCard(): Book {
  const book = new Book();
  const account = { id: 'A', program: 1, currency: 986, creditLimit: 10_000_000, type: AccountType.credit };
  book.command({ op: 'create_account', ...account }, NOW_MS);
  const number = { fingerprint: [1, 1, 1] as const, bin: 999999, last4: 1, panLength: 16, expiry: 2912 };
  const card = { ...number, cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 };
  book.command({ op: 'create_card', account: 'A', ...card, fingerprint: [...number.fingerprint] }, NOW_MS);
  return book;
}

function message(stan: number, networkId: string, more: Partial<MessageInput> = {}): MessageInput {
  const input = new Message();
  const numbers = { mti: 100, processingCode: 0, amount: 100, currency: 986, transmission: 520_120_000, stan };
  Object.assign(input, numbers, more);
  input.setText(Text.rrn, String(stan).padStart(12, '0'));
  input.setText(Text.terminal, 'TERM0001');
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.networkId, networkId);
  return input;
}

/** An authorization, an increment of it a hundred days later, the end of the hold; then the authorization is dropped. */
function withoutRoot(isDropped: boolean): { book: Book; root: number; nowMs: number } {
  const book = bookWithCard();
  const root = book.message(message(1, 'NETWORK00000001'), 0, NOW_MS).sequence;
  const more = message(2, 'NETWORK00000002', { functionCode: increment });
  more.setText(Text.originalNetworkId, 'NETWORK00000001');
  const laterMs = NOW_MS + DAY_MS;
  expect(book.message(more, 0, laterMs).event.originalSequence).toBe(root);
  const nowMs = laterMs + 100 * DAY_MS;
  expect(book.expireDue(nowMs)).toBe(1);
  if (isDropped) book.history.floor = root;
  return { book, root, nowMs };
}

describe('an increment whose authorization was dropped', () => {
  it('is not taken back by its reversal, which is recorded as one that came first', () => {
    for (const isDropped of [false, true]) {
      const { book, root, nowMs } = withoutRoot(isDropped);
      const reversal = message(2, '', { mti: 400 });
      reversal.setText(Text.originalNetworkId, 'NETWORK00000002');
      const { response, event } = book.message(reversal, 0, nowMs);
      expect([response, event.originalSequence, event.tombstone]).toEqual(isDropped ? ['00', 0, 1] : ['00', root, 0]);
    }
  });

  it('is not incremented again: the next one is decided by itself', () => {
    const { book, nowMs } = withoutRoot(true);
    const more = message(3, 'NETWORK00000003', { functionCode: increment });
    more.setText(Text.originalNetworkId, 'NETWORK00000002');
    const { response, event } = book.message(more, 0, nowMs);
    expect([response, event.originalSequence, event.holdDelta]).toEqual(['00', 0, 100]);
  });

  it('is not matched by a clearing record, which posts without an authorization', () => {
    for (const isDropped of [false, true]) {
      const { book, nowMs } = withoutRoot(isDropped);
      const input = clearingInput({ networkId: 'NETWORK00000002', record: 1, arn: '1'.repeat(23) });
      const answer = book.clearing('FILE1', { ...known, input }, nowMs);
      expect(answer).toMatchObject({ outcome: 'posted', rung: isDropped ? MatchRung.none : MatchRung.networkId });
    }
  });
});

describe('a clearing record whose authorization was dropped', () => {
  it('is taken back by itself', () => {
    for (const isDropped of [false, true]) {
      const book = bookWithCard();
      const root = book.message(message(1, 'NETWORK00000001'), 0, NOW_MS).sequence;
      const money = { amount: 100, billingAmount: 100, billingCurrency: 986 };
      const input = { networkId: 'NETWORK00000001', record: 1, arn: '1'.repeat(23), ...money };
      book.clearing('FILE1', { ...known, input: clearingInput(input) }, NOW_MS + DAY_MS);
      const posted = book.state.accounts.posted(0);
      expect(posted).toBeGreaterThan(0);
      if (isDropped) book.history.floor = root;
      const back = clearingInput({ ...input, record: 2, reversal: 1 });
      expect(book.clearing('FILE2', { ...known, input: back }, NOW_MS + 130 * DAY_MS)).toMatchObject({
        outcome: 'posted',
      });
      expect(book.state.accounts.posted(0)).toBe(0);
    }
  });
});

describe('a statement cycle whose entries were dropped', () => {
  it('is not summed up: what was paid of it cannot be told', async () => {
    const { BillingCycles } = await import('#src/domain/billing-cycle.js');
    const book = bookWithCard();
    book.command({ op: 'payment', account: 'A', amount: 50, currency: 986, reference: 'p1' }, NOW_MS);
    book.command({ op: 'payment', account: 'A', amount: 70, currency: 986, reference: 'p2' }, NOW_MS);
    const statement = { accountSlot: 0, sequence: 2 } as Parameters<InstanceType<typeof BillingCycles>['paid']>[0];
    const day = Math.floor(NOW_MS / DAY_MS);
    expect(new BillingCycles(book.context, NOW_MS).paid(statement, day)).toBe(120);
    book.history.floor = 3;
    expect(new BillingCycles(book.context, NOW_MS).paid(statement, day)).toBeUndefined();
  });
});
