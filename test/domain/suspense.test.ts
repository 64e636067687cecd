/** What is in suspense, and how it leaves it: by a shard that has the record, and one that has the card. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ClearingSort } from '#src/domain/clearing/codes.js';
import type { ClearingInput } from '#src/domain/clearing/input.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { ResolveSuspense, TakeFromSuspense } from '#src/domain/entry-commands.js';
import { component, Gl } from '#src/domain/ledger/chart.js';
import { suspenseAt, suspenseState } from '#src/domain/suspense.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const NOW = Date.UTC(2026, 10, 26, 15);
const BRL = 986;

let book: Book;
let record = 0;

beforeEach(() => {
  book = new Book();
  const opened = { program: 1, currency: BRL, creditLimit: 100_000, type: AccountType.credit };
  book.command({ op: 'create_account', id: 'A', ...opened }, NOW);
  const card = { bin: 999_999, last4: 1, panLength: 16, expiry: 2912, cardSequence: 0, serviceCode: 201 };
  const issued = { ...card, status: CardStatus.active, replacesSlot: -1 };
  book.command({ op: 'create_card', account: 'A', fingerprint: [1, 2, 3], ...issued }, NOW);
});

/** Sequence of a record of a card that nobody knows. */
function unknown(more: Partial<ClearingInput>): number {
  const input = clearingInput({
    record: ++record,
    amount: 700,
    settlementAmount: 700,
    settlementCurrency: BRL,
    ...more,
  });
  return book.clearing('F1', { card: -1, fingerprint: [7, 7, 7], input }, NOW).sequence;
}

function codeOf(command: Change): string {
  const result = book.command(command, NOW);
  return result.ok ? 'ok' : result.code;
}

const resolve = (sequence: number): ResolveSuspense => {
  return { op: 'resolve_suspense', sequence, to: 'loss', card: '', sub: 0, note: '' };
};

describe('a record and what takes it back', () => {
  test('are out of it together, seen from either', () => {
    const first = unknown({ arn: 'A' });
    const other = unknown({ arn: 'B' });
    const back = unknown({ arn: 'A', reversal: 1 });
    const states = [first, other, back].map((at) => suspenseState(book.context, suspenseAt(book.context, at)!));
    expect(states).toEqual([
      { sequence: first, resolved: 0, offset: true },
      { sequence: other, resolved: 0, offset: false },
      { sequence: back, resolved: 0, offset: true },
    ]);
    expect([first, back, other, other].map((at) => codeOf(resolve(at)))).toEqual([
      'already_resolved',
      'already_resolved',
      'ok',
      'already_resolved',
    ]);
    expect(codeOf(resolve(1))).toBe('entry_not_found');
  });

  test.each([
    ['of a part of it', { amount: 300, settlementAmount: 300 }],
    ['in another currency of settlement', { settlementCurrency: 840 }],
  ])('are in it both, %s', (_, more) => {
    const both = [unknown({ arn: 'A' }), unknown({ arn: 'A', reversal: 1, ...more })];
    const states = both.map((at) => suspenseState(book.context, suspenseAt(book.context, at)!));
    expect(states).toMatchObject([{ offset: false }, { offset: false }]);
    expect(both.map((at) => codeOf(resolve(at)))).toEqual(['ok', 'ok']);
  });

  test('that takes back what we do not know stands alone', () => {
    const back = unknown({ arn: 'C', reversal: 1 });
    expect(suspenseState(book.context, suspenseAt(book.context, back)!)).toMatchObject({ offset: false });
    expect(codeOf(resolve(back))).toBe('ok');
  });
});

describe('what goes to a card', () => {
  const take = (more: Partial<TakeFromSuspense> = {}): TakeFromSuspense => ({
    ...{ op: 'take_from_suspense', cardSlot: 0, shard: 3, sequence: 9, sort: ClearingSort.purchase },
    input: clearingInput({ amount: 700 }),
    ...{ held: { amount: 700, currency: BRL }, amount: 0, note: '', dry: false },
    ...more,
  });
  const owed = (): number => book.state.accounts.component(0, component(Gl.purchases));

  test('is posted to its account once; a dry run posts nothing', () => {
    expect([codeOf(take({ dry: true })), owed()]).toEqual(['ok', 0]);
    expect([codeOf(take()), owed()]).toEqual(['ok', 700]);
    expect([codeOf(take()), owed()]).toEqual(['reference_exists', 700]);
    expect([codeOf(take({ sequence: 10 })), owed()]).toEqual(['ok', 1400]);
  });

  test.each<[string, Partial<TakeFromSuspense>, string]>([
    ['a card that there is not', { cardSlot: 1 }, 'card_not_found'],
    ['another amount than the record names', { amount: 699 }, 'suspense_amount'],
    [
      'no amount, and none in the currency',
      { input: clearingInput({ amount: 700, currency: 840 }) },
      'currency_mismatch',
    ],
    ['thirteen digits', { input: clearingInput({ amount: 1e12 }) }, 'amount_out_of_range'],
    ['half a cent', { input: clearingInput({ amount: 0.5 }) }, 'amount_out_of_range'],
  ])('is refused: %s', (_, more, code) => {
    expect([codeOf(take(more)), owed(), book.history.events.length]).toEqual([code, 0, 2]);
  });

  test('is given an amount where the record has none', () => {
    const input = clearingInput({ amount: 700, currency: 840 });
    expect([codeOf(take({ input, amount: 3500 })), owed()]).toEqual(['ok', 3500]);
  });
});
