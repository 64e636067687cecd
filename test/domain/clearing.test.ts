/** Clearing beyond the scenarios of test/table: values that cannot be, leg builders, and what is reused from record to record. */
import { describe, expect, it, test } from 'vitest';
import { ClearingFlag, MatchRung } from '#src/domain/clearing/codes.js';
import { badValue, type ClearingInput } from '#src/domain/clearing/input.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { EntryLeg } from '#src/domain/events.js';
import { COMPONENTS } from '#src/domain/ledger/chart.js';
import type { DisputeStep } from '#src/domain/ledger/dispute-steps.js';
import { statusAfter, stepsOf } from '#src/domain/ledger/dispute-steps.js';
import { cashSide, mirroredSide, presentmentLegs, purchaseSide } from '#src/domain/ledger/presentment.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const NOW_MS = Date.UTC(2026, 4, 20, 12);

function bookWithCard(): Book {
  const book = new Book();
  const account = { id: 'A', program: 1, currency: 986, creditLimit: 10_000_000, type: AccountType.credit };
  book.command({ op: 'create_account', ...account }, NOW_MS);
  book.command(
    {
      ...{
        op: 'create_card',
        account: 'A',
        fingerprint: [1, 1, 1],
        bin: 999999,
        last4: 1,
        panLength: 16,
        expiry: 2912,
      },
      ...{ cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 },
    },
    NOW_MS,
  );
  return book;
}

function authorize(book: Book, stan: number, networkId: string): void {
  const input = new MessageInput();
  Object.assign(input, { mti: 100, processingCode: 0, amount: 100, currency: 986, transmission: 520_120_000, stan });
  input.setText(Text.rrn, String(stan).padStart(12, '0'));
  input.setText(Text.terminal, 'TERM0001');
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.networkId, networkId);
  expect(book.message(input, 0, NOW_MS).response).toBe('00');
}

const known = { card: 0, fingerprint: [0, 0, 0] as const };

describe('many records in a row', () => {
  it('all find their authorizations, whatever texts they carry', () => {
    const book = bookWithCard();
    for (let n = 1; n <= 200; n++) {
      authorize(book, n, `NETWORK${String(n).padStart(8, '0')}`);
      const texts = {
        networkId: `NETWORK${String(n).padStart(8, '0')}`,
        rrn: 'X'.repeat(12),
        acceptor: 'Y'.repeat(15),
      };
      const input = clearingInput({ record: n, amount: 100, ...texts, terminal: 'Z'.repeat(8), arn: `A${n}` });
      expect(book.clearing('F1', { ...known, input }, NOW_MS)).toMatchObject({
        outcome: 'posted',
        rung: MatchRung.networkId,
      });
    }
    expect([book.state.accounts.posted(0), book.state.accounts.held(0)]).toEqual([20_000, 0]);
  });

  it('the filling of DE63 says nothing', () => {
    const book = bookWithCard();
    authorize(book, 1, 'MCC123         ');
    const input = clearingInput({ amount: 100, networkId: 'MCC123' });
    expect(book.clearing('F1', { ...known, input }, NOW_MS).rung).toBe(MatchRung.networkId);
  });
});

test('the rest of a partial approval is found by merchant and approved amount, also when a part was cleared', () => {
  const book = bookWithCard();
  const input = new MessageInput();
  Object.assign(input, {
    mti: 100,
    processingCode: 0,
    amount: 30_000_000,
    currency: 986,
    transmission: 520_120_000,
    stan: 1,
    partialSupported: 1,
  });
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.rrn, 'R1');
  input.setText(Text.terminal, 'TERM0001');
  expect(book.message(input, 0, NOW_MS)).toMatchObject({ response: '10', event: { approvedAmount: 10_000_000 } });
  const part = clearingInput({
    record: 1,
    amount: 4_000_000,
    partial: 1,
    acceptor: 'MERCHANT0000001',
    arn: 'A1',
    rrn: 'R1',
  });
  expect(book.clearing('F1', { ...known, input: part }, NOW_MS)).toMatchObject({ rung: MatchRung.rrn });
  const whole = clearingInput({ record: 2, amount: 10_000_000, acceptor: 'MERCHANT0000001', arn: 'A2' });
  expect(book.clearing('F1', { ...known, input: whole }, NOW_MS)).toMatchObject({
    rung: MatchRung.amount,
  });
});

test.each<[string, Partial<ClearingInput>]>([
  ['record', { record: 1.5 }],
  ['processingCode', { processingCode: 1_000_000 }],
  ['processingCode', { processingCode: 190_000 }],
  ['processingCode', { processingCode: 290_000 }],
  ['mti', { mti: 1442 }],
  ['mti', { mti: 1740 }],
  ['mcc', { mcc: 10_000 }],
  ['amount', { amount: 1e12 }],
  ['amount', { amount: -1, currency: -1 }],
  ['currency', { currency: 123 }],
  ['settlementAmount', { settlementAmount: -5, settlementCurrency: 840 }],
  ['settlementCurrency', { settlementAmount: 5, settlementCurrency: 0 }],
  ['billingAmount', { billingAmount: Number.NaN, billingCurrency: 986 }],
  ['sub', { sub: 2 ** 50 }],
  ['fees', { fees: [{ amount: -1, currency: 986, sign: 1 }] }],
  ['fees', { fees: [{ amount: 1, currency: 986, sign: 2 }] }],
  ['arn', { arn: '1'.repeat(24) }],
  ['acceptorName', { acceptorName: '\u20ac' }],
])('a %s that cannot be is named, and nothing is posted', (field, over) => {
  const input = clearingInput({ amount: 100, ...over });
  expect(badValue(input)).toBe(field);
  const book = bookWithCard();
  const records = book.history.events.length;
  expect(book.clearing('F1', { ...known, input }, NOW_MS)).toEqual({
    outcome: 'invalid',
    sequence: 0,
    rung: MatchRung.none,
    flags: 0,
    field,
  });
  expect(book.history.events.length).toBe(records);
});

test('a file without a name posts nothing', () => {
  const input = clearingInput({ amount: 100 });
  for (const file of ['', 'two words', 'x'.repeat(65)]) {
    expect(bookWithCard().clearing(file, { ...known, input }, NOW_MS)).toMatchObject({
      outcome: 'invalid',
      field: 'file',
    });
  }
});

test('a record that would bring a balance out of its range goes to suspense', () => {
  const book = bookWithCard();
  const amount = 999_999_999_999;
  // Each is a credit of some 10^12: 4 001 of them would be beyond what a balance can be.
  let inSuspense = 0;
  for (let record = 1; record <= 4002; record++) {
    const input = clearingInput({ record, processingCode: 200_000, amount });
    const { outcome, flags } = book.clearing('F1', { ...known, input }, NOW_MS);
    expect(outcome).toBe('posted');
    if (flags !== 0) inSuspense++;
  }
  expect(inSuspense).toBe(2);
  expect(book.state.accounts.posted(0)).toBe(-4000 * amount);
});

test('counts at the time of windows, which stand still while the clocks differ', () => {
  const book = bookWithCard();
  const daily = JSON.stringify({ velocity: [{ window: 'day', amount: 1000 }] });
  book.command({ op: 'update_card', cardSlot: 0, controls: daily }, NOW_MS);
  const day = 86_400_000;
  const force = (record: number, nowMs: number, lagMs: number): void => {
    const input = clearingInput({ record, amount: 400, arn: `A${record}` });
    expect(book.clearing('F1', { ...known, input }, nowMs, lagMs).outcome).toBe('posted');
  };
  const used = (timeMs: number): number[] => {
    const amounts: number[] = [];
    book.state.velocity.counters(0, timeMs, (_key, bucket, amount) => {
      if (bucket === Math.floor(timeMs / day) + 1) amounts.push(amount);
    });
    return amounts;
  };
  force(1, NOW_MS, 0);
  // The wall clock has leapt a day ahead.
  force(2, NOW_MS + day, day);
  expect(used(NOW_MS)).toEqual([800]);
  force(3, NOW_MS + day, 0);
  expect(used(NOW_MS + day)).toEqual([400]);
});

describe('legs', () => {
  const sums = (legs: readonly EntryLeg[]): Record<string, number> => {
    const by: Record<string, number> = {};
    for (const { currency, amount } of legs) by[currency] = (by[currency] ?? 0) + amount;
    return by;
  };

  it('of a purchase with a mark-up: a leg of its own, and the FX position has the conversion alone', () => {
    const owed = { amount: 1165, currency: 840, sub: 16 };
    const legs = presentmentLegs(purchaseSide(6200, 62), 986, owed, [], false);
    expect(legs.map(({ glAccount, currency, amount }) => [glAccount, currency, amount])).toEqual([
      [1100, 986, 6200],
      [1100, 986, 62],
      [4400, 986, -62],
      [2100, 840, -1165],
      [1500, 986, -6200],
      [1500, 840, 1165],
    ]);
    expect(sums(legs)).toEqual({ 986: 0, 840: 0 });
  });

  it('of cash with fee and interchange balance, and the mirror takes back the cardholder side alone', () => {
    const owed = { amount: 1000, currency: 986, sub: 0 };
    const legs = presentmentLegs(cashSide(1000, 30, 10), 986, owed, [{ amount: -5, currency: 986 }], true);
    expect(sums(legs)).toEqual({ 986: 0 });
    const owed1110: Record<number, number> = { 1110: 1010, 1120: 30 };
    expect(mirroredSide(legs, (gl) => owed1110[gl] ?? 0)).toEqual([
      { glAccount: 1110, amount: -1000 },
      { glAccount: 1120, amount: -30 },
      { glAccount: 4300, amount: 30 },
      { glAccount: 1110, amount: -10 },
      { glAccount: 4400, amount: 10 },
    ]);
  });
});

describe('what takes back a purchase that was paid since', () => {
  const input = (over: Partial<ClearingInput>) => clearingInput({ amount: 3000, arn: 'A', ...over });
  const parts = (book: Book) => COMPONENTS.slice(0, 5).map((_, which) => book.state.accounts.component(0, which));

  it('leaves a credit balance, and no receivable below zero', () => {
    for (const processingCode of [0, 10_000]) {
      const book = bookWithCard();
      book.clearing('F1', { ...known, input: input({ record: 1, processingCode }) }, NOW_MS);
      const payment = { op: 'payment', account: 'A', amount: 2000, currency: 986, reference: 'p' } as const;
      expect(book.command(payment, NOW_MS).ok).toBe(true);
      book.clearing('F1', { ...known, input: input({ record: 2, processingCode, reversal: 1 }) }, NOW_MS);
      // 3 000 charged, 2 000 paid, 3 000 taken back: the 1 000 that were owed, and 2 000 in credit.
      expect(parts(book)).toEqual([0, 0, 0, 0, -2000]);
      expect(book.command({ ...payment, op: 'refund_credit' }, NOW_MS).ok).toBe(true);
    }
  });

  it('of another amount too', () => {
    const book = bookWithCard();
    book.clearing('F1', { ...known, input: input({ record: 1, processingCode: 10_000 }) }, NOW_MS);
    const back = input({ record: 2, processingCode: 10_000, reversal: 1, amount: 3500 });
    book.clearing('F1', { ...known, input: back }, NOW_MS);
    expect(parts(book)).toEqual([0, 0, 0, 0, -500]);
  });

  it('and a refund that is taken back is owed as purchases where its credit was paid out', () => {
    const book = bookWithCard();
    book.clearing('F1', { ...known, input: input({ record: 1, processingCode: 200_000 }) }, NOW_MS);
    book.command({ op: 'refund_credit', account: 'A', amount: 2500, currency: 986, reference: 'r' }, NOW_MS);
    book.clearing('F1', { ...known, input: input({ record: 2, processingCode: 200_000, reversal: 1 }) }, NOW_MS);
    expect(parts(book)).toEqual([2500, 0, 0, 0, 0]);
  });
});

describe('a second presentment', () => {
  const REAIS = 986;
  /** A purchase that is disputed and charged back. */
  function chargedBack(amount: number, settled: { amount: number; currency: number }) {
    const book = bookWithCard();
    const input = clearingInput({ record: 1, amount: 10_000, arn: 'A' });
    const { sequence: relatedSequence } = book.clearing('F1', { ...known, input }, NOW_MS);
    const opened = { op: 'open_dispute', account: 'A', amount, currency: REAIS, reference: 'd' } as const;
    const { sequence } = ok(book.command({ ...opened, relatedSequence, note: '' }, NOW_MS));
    const step = (name: DisputeStep, more: object = {}): { ok: boolean; code?: string } =>
      book.command({ op: 'dispute_step', sequence, step: name, note: '', ...more }, NOW_MS);
    ok(step('chargeback', { settled: { sub: 16, interchange: 0, ...settled }, reasonCode: '4853' }));
    const status = () => statusAfter(stepsOf(book.state.references, 0, sequence));
    const again = (record: number, over: Partial<ClearingInput>) =>
      book.clearing(
        'F2',
        { ...known, input: clearingInput({ record, amount, arn: 'A', functionCode: 205, ...over }) },
        NOW_MS,
      );
    return { book, sequence, step, status, again };
  }
  function ok<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
    expect(result).toMatchObject({ ok: true });
    return result as Extract<T, { ok: true }>;
  }
  const legsAt = (book: Book, sequence: number) =>
    (book.history.at(sequence) as { legs: EntryLeg[] }).legs.map(
      ({ glAccount, currency, amount }) => `${glAccount} ${currency} ${amount}`,
    );

  it('is the next step of the dispute whose chargeback it answers, once', () => {
    const { book, sequence, step, status, again } = chargedBack(10_000, { amount: 10_000, currency: REAIS });
    const posted = again(1, { fees: [{ amount: 42, currency: REAIS, sign: 0 }] });
    expect(posted).toMatchObject({ outcome: 'posted', rung: MatchRung.arn, flags: 0 });
    expect(book.history.at(posted.sequence)).toMatchObject({ disputeSequence: sequence, posted: 0 });
    // The dispute receivable again, and interchange again.
    expect(legsAt(book, posted.sequence)).toEqual(['1200 986 10000', '2100 986 -10000', '2100 986 42', '4100 986 -42']);
    expect(status()).toBe('presented_again');
    expect(again(1, {})).toMatchObject({ outcome: 'already', sequence: posted.sequence });
    expect(again(2, {})).toMatchObject({ outcome: 'duplicate', sequence: posted.sequence });
    // Another one finds no chargeback that is open.
    expect(again(3, { functionCode: 282 })).toMatchObject({ outcome: 'posted', flags: ClearingFlag.disputeMissing });
    expect(step('second_presentment').code).toBe('dispute_step_refused');
    book.restart();
    expect(status()).toBe('presented_again');
    ok(step('lose'));
    expect(book.state.accounts.posted(0)).toBe(10_000);
  });

  it('of a part leaves the rest won', () => {
    const { book, step, again } = chargedBack(10_000, { amount: 10_000, currency: REAIS });
    const posted = again(1, { functionCode: 282, amount: 2500 });
    expect(posted).toMatchObject({ outcome: 'posted', flags: 0 });
    expect(legsAt(book, posted.sequence)).toEqual(['1200 986 2500', '2100 986 -2500']);
    ok(step('lose'));
    // 10 000 purchased, 10 000 credited provisionally, 2 500 owed after all.
    expect(book.state.accounts.posted(0)).toBe(2500);
  });

  it('that settles in another currency is as much as was charged back; the conversion is on the FX position', () => {
    const { book, again } = chargedBack(10_000, { amount: 2000, currency: 840 });
    const settled = { settlementAmount: 2050, settlementCurrency: 840, billingAmount: 10_250, billingCurrency: REAIS };
    const posted = again(1, { ...settled, amount: 2050, currency: 840 });
    expect(posted.flags).toBe(0);
    // What was charged back: 10 000 reais for 20.00 dollars; 20.50 dollars go back.
    expect(legsAt(book, posted.sequence)).toEqual([
      '1200 986 10000',
      '2100 840 -2050',
      '1500 986 -10000',
      '1500 840 2050',
    ]);
  });

  it('of another amount in the same currency is posted as it is, and flagged', () => {
    const { book, again } = chargedBack(10_000, { amount: 10_000, currency: REAIS });
    const posted = again(1, { amount: 9000 });
    expect(posted.flags).toBe(ClearingFlag.otherAmount);
    expect(legsAt(book, posted.sequence)).toEqual(['1200 986 9000', '2100 986 -9000']);
  });

  it('that is taken back leaves the dispute won', () => {
    const { book, step, again } = chargedBack(10_000, { amount: 10_000, currency: REAIS });
    again(1, {});
    expect(step('win').code).toBe('dispute_step_refused');
    expect(again(2, { reversal: 1 })).toMatchObject({ outcome: 'posted', flags: 0 });
    expect(step('lose').code).toBe('dispute_step_refused');
    ok(step('win'));
    expect(book.state.accounts.posted(0)).toBe(0);
  });
});
