/**
 * Elements that have outlived their authorization in the journal: whatever names them is decided without it, and reads nothing that was
 * dropped (MemoryHistory throws at such a read).
 */
import { describe, expect, it } from 'vitest';
import { MatchRung } from '#src/domain/clearing/codes.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { EntryPosted } from '#src/domain/events.js';
import type { DisputeStep } from '#src/domain/ledger/dispute-steps.js';
import { MessageInput as Message, type MessageInput, Text } from '#src/domain/message.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const NOW_MS = Date.UTC(2026, 4, 20, 12);
const DAY_MS = 86_400_000;
const known = { card: 0, fingerprint: [0, 0, 0] as const };
const increment = 'I'.charCodeAt(0);

function bookWithCard(policy?: Policy): Book {
  const book = new Book(policy);
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

describe('a dispute whose record was dropped', () => {
  const fee = { flat: 50, basisPoints: 300 };
  const settled = { sub: 16, currency: 986, amount: 3000, interchange: 30 };
  const { clearing, cashFee, ...tables } = defaultTables;
  const policy = new Policy(1, {
    ...tables,
    clearing: { ...clearing, markupBasisPoints: 200 },
    cashFee: { ...cashFee, ...fee },
  });

  /** Runs a dispute of a withdrawal to its end, and gives the legs of every entry behind its beginning. */
  function endOf(
    by: 'file' | 'message',
    { isDropped, isOld = false }: { isDropped: boolean; isOld?: boolean },
    behind: (book: Book) => void,
    steps: readonly DisputeStep[],
  ): { legs: unknown[]; refused: string | undefined; posted: number } {
    const book = bookWithCard(policy);
    const cash = { processingCode: 10_000, amount: 3000, record: 1, arn: '1'.repeat(23) };
    const foreign = { amount: 600, currency: 840, billingAmount: 3000, billingCurrency: 986 };
    const relatedSequence =
      by === 'file'
        ? book.clearing('FILE1', { ...known, input: clearingInput({ ...cash, ...foreign }) }, NOW_MS).sequence
        : book.message(message(1, 'NETWORK00000001', { mti: 200, ...cash }), 0, NOW_MS).sequence;
    const open = { op: 'open_dispute', account: 'A', amount: 1000, currency: 986, reference: 'd', note: '' } as const;
    const opened = book.command({ ...open, relatedSequence }, NOW_MS);
    const { sequence } = opened as { sequence: number };
    behind(book);
    const dispute = book.history.events[sequence - 1] as EntryPosted;
    if (isOld) delete (dispute.disputed as { charge?: unknown }).charge;
    if (isDropped) book.history.floor = relatedSequence;
    let refused: string | undefined;
    for (const step of steps) {
      const money = step === 'chargeback' ? { settled: { ...settled, amount: 1000 } } : {};
      const result = book.command({ op: 'dispute_step', sequence, step, note: '', ...money }, NOW_MS + 200 * DAY_MS);
      if (!result.ok) refused ??= result.code;
    }
    const legs = book.history.events.slice(sequence).flatMap((event) => ('legs' in event ? [event.legs] : []));
    return { legs, refused, posted: book.state.accounts.posted(0) };
  }

  /** The merchant takes a part back before the record is dropped, or all of it. */
  const takenBack = (by: 'file' | 'message', back: number) => (book: Book) => {
    if (back === 0) return;
    if (by === 'file') {
      const input = {
        processingCode: 10_000,
        amount: back / 5,
        currency: 840,
        billingAmount: back,
        billingCurrency: 986,
      };
      const mark = { record: 2, arn: '1'.repeat(23), reversal: 1 };
      book.clearing('FILE2', { ...known, input: clearingInput({ ...input, ...mark }) }, NOW_MS + DAY_MS);
      return;
    }
    const reversal = message(2, '', { mti: 400, amount: 3000, replacementAmount: 3000 - back });
    reversal.setText(Text.originalNetworkId, 'NETWORK00000001');
    expect(book.message(reversal, 0, NOW_MS + DAY_MS).event.originalSequence).toBeGreaterThan(0);
  };

  for (const by of ['file', 'message'] as const)
    for (const back of [0, 500, 2500])
      for (const steps of [['chargeback', 'win'], ['write_off'], ['lose'], ['withdraw']] as const)
        it(`of a withdrawal by ${by}, ${back} taken back: ${steps.join(', ')} as if it was there`, () => {
          const [there, gone] = [false, true].map((isDropped) => endOf(by, { isDropped }, takenBack(by, back), steps));
          expect(gone).toEqual(there);
          const isRefused = back === 2500 && (steps[0] === 'chargeback' || steps[0] === 'write_off');
          expect(gone!.refused).toBe(isRefused ? 'given_back' : undefined);
        });

  it('gives no mark-up and fee back when it began in a release that did not keep what it is about', () => {
    const { legs, refused } = endOf('file', { isDropped: true, isOld: true }, () => undefined, ['write_off']);
    expect([legs.flat().length, refused]).toEqual([2, undefined]);
  });

  it('is not begun: of that charge nothing is known any more', () => {
    const book = bookWithCard(policy);
    const relatedSequence = book.message(message(1, 'NETWORK00000001', { mti: 200 }), 0, NOW_MS).sequence;
    book.command({ op: 'payment', account: 'A', amount: 1, currency: 986, reference: 'p' }, NOW_MS);
    book.history.floor = relatedSequence;
    const open = { op: 'open_dispute', account: 'A', amount: 100, currency: 986, reference: 'd', note: '' } as const;
    expect(book.command({ ...open, relatedSequence }, NOW_MS)).toMatchObject({
      ok: false,
      code: 'amount_out_of_range',
    });
  });

  it('has no step when its own beginning was dropped', () => {
    const book = bookWithCard(policy);
    const charged = book.message(message(1, 'NETWORK00000001', { mti: 200 }), 0, NOW_MS).sequence;
    const open = { op: 'open_dispute', account: 'A', amount: 100, currency: 986, reference: 'd', note: '' } as const;
    const { sequence } = book.command({ ...open, relatedSequence: charged }, NOW_MS) as { sequence: number };
    book.history.floor = sequence;
    const step = { op: 'dispute_step', sequence, step: 'lose', note: '' } as const;
    expect(book.command(step, NOW_MS)).toMatchObject({ ok: false, code: 'entry_not_found' });
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
