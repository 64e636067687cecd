import { describe, expect, test } from 'vitest';
import { applyEvent } from '#src/domain/apply.js';
import { AccountStatus, AccountType, CardStatus, EventKind } from '#src/domain/codes.js';
import type { CommandResult } from '#src/domain/commands.js';
import type { PaymentPosted, PlainEvent } from '#src/domain/events.js';
import { keyHash64 } from '#src/domain/key-hash.js';
import type { CreateAccount, ImportRows } from '#src/domain/party-commands.js';
import { ShardState } from '#src/domain/shard-state.js';
import { accountView, ledgerTotals } from '#src/domain/views.js';
import { Book } from './book.js';

const NOW = Date.UTC(2026, 4, 20);

const account = (id: string, more: Partial<CreateAccount> = {}): CreateAccount => ({
  op: 'create_account',
  id,
  program: 1,
  currency: 986,
  creditLimit: 1000,
  type: AccountType.credit,
  ...more,
});

const card = (number: number, more: object = {}) => ({
  fingerprint: [number, 2, 3] as const,
  bin: 999_999,
  last4: number,
  panLength: 16,
  expiry: 2912,
  cardSequence: 1,
  serviceCode: 201,
  status: CardStatus.active,
  replacesSlot: -1,
  ...more,
});

const codeOf = (result: CommandResult): string => (result.ok ? 'ok' : result.code);

describe('commands', () => {
  test('create an account and a card, and tell both as they are now', () => {
    const book = new Book();
    expect(book.command(account('acct-1', { currency: 392, type: AccountType.debit }), NOW)).toEqual({
      ok: true,
      sequence: 1,
      account: {
        slot: 0,
        id: 'acct-1',
        program: 1,
        currency: 392,
        creditLimit: 1000,
        type: AccountType.debit,
        status: AccountStatus.open,
        posted: 0,
        held: 0,
        controls: '',
        controlsSequence: 0,
        createdMs: NOW,
        newestSequence: 1,
      },
    });
    const issued = book.command({ op: 'create_card', account: 'acct-1', ...card(7) }, NOW + 1);
    expect(issued).toMatchObject({
      ok: true,
      sequence: 2,
      account: { newestSequence: 2 },
      card: { slot: 0, account: 'acct-1', last4: 7, createdMs: NOW + 1, newestSequence: 2, replacesSlot: -1 },
    });
    const replacing = book.command({ op: 'create_card', account: 'acct-1', ...card(8, { replacesSlot: 0 }) }, NOW);
    expect(replacing).toMatchObject({ ok: true, card: { slot: 1, replacesSlot: 0 } });
    expect(book.state.cards.find(7, 2, 3)).toBe(0);
    expect(book.state.cards.find(7, 2, 4)).toBe(-1);
  });

  test('refuse with a code and leave no record', () => {
    const book = new Book();
    book.command(account('A'), NOW);
    book.command(account('B'), NOW);
    book.command({ op: 'create_card', account: 'B', ...card(1) }, NOW);
    const { digest } = book.state;
    const before = [digest.high, digest.low];
    const codes = [
      book.command(account('A'), NOW),
      book.command(account('C', { currency: 999 }), NOW),
      book.command(account('C', { creditLimit: -1 }), NOW),
      book.command(account('C', { creditLimit: 0.5 }), NOW),
      book.command(account('C', { creditLimit: 1e14 + 1 }), NOW),
      book.command({ op: 'create_card', account: 'A', ...card(1) }, NOW),
      book.command({ op: 'create_card', account: 'X', ...card(2) }, NOW),
      book.command({ op: 'create_card', account: 'A', ...card(2, { replacesSlot: 0 }) }, NOW),
      book.command({ op: 'create_card', account: 'A', ...card(2, { replacesSlot: 9 }) }, NOW),
      book.command({ op: 'update_card', cardSlot: 9, status: CardStatus.active }, NOW),
      book.command({ op: 'update_account', id: 'X' }, NOW),
      book.command({ op: 'update_account', id: 'A', creditLimit: -5 }, NOW),
    ].map(codeOf);
    expect(codes).toEqual([
      'account_exists',
      'currency_mismatch',
      'amount_out_of_range',
      'amount_out_of_range',
      'amount_out_of_range',
      'card_exists',
      'account_not_found',
      'card_not_found',
      'card_not_found',
      'card_not_found',
      'account_not_found',
      'amount_out_of_range',
    ]);
    expect(book.history.events).toHaveLength(3);
    expect([digest.high, digest.low]).toEqual(before);
  });

  test('an import decides each row alone and sees the rows before it', () => {
    const book = new Book();
    const { op: _op, ...plain } = account('A');
    const rows: ImportRows['rows'] = [
      { account: plain, card: card(1) },
      { account: plain },
      { account: { ...plain, id: 'B' }, card: card(1) },
      { account: { ...plain, id: 'C', creditLimit: -1 }, card: card(3) },
      { account: { ...plain, id: 'D' } },
    ];
    expect(book.command({ op: 'import', rows }, NOW)).toEqual({
      ok: true,
      sequence: 4,
      imported: {
        accounts: 3,
        cards: 1,
        refused: [
          { row: 1, code: 'account_exists' },
          { row: 2, code: 'card_exists' },
          { row: 3, code: 'amount_out_of_range' },
        ],
      },
    });
    expect(book.history.events.map(({ kind }) => kind)).toEqual([
      EventKind.accountCreated,
      EventKind.cardCreated,
      EventKind.accountCreated,
      EventKind.accountCreated,
    ]);
    // The card's record is chained to that of its account.
    expect(book.history.events[1]).toMatchObject({ sequence: 2, previousOfAccount: 1 });
  });

  test('a payment settles interest, fees, cash and purchases in this order and credits the rest', () => {
    const book = new Book();
    book.command(account('A'), NOW);
    owe(book, { 1100: 400, 1110: 300, 1120: 20, 1130: 10 });
    expect(accountView(book.state, 0).posted).toBe(730);
    const legs = [5, 30, 400, 1000].map((amount, n) => {
      book.command({ op: 'payment', account: 'A', amount, currency: 986, reference: `p${n}` }, NOW);
      const event = book.history.events.at(-1) as PaymentPosted;
      expect(event.postings.slice(0, 3)).toEqual([
        { glAccount: 1310, amount },
        { glAccount: 2300, amount: -amount },
        { glAccount: 2300, amount },
      ]);
      return event.postings.slice(3).map((leg) => [leg.glAccount, leg.amount]);
    });
    expect(legs).toEqual([
      [[1130, -5]],
      [
        [1130, -5],
        [1120, -20],
        [1110, -5],
      ],
      [
        [1110, -295],
        [1100, -105],
      ],
      [
        [1100, -295],
        [2200, -705],
      ],
    ]);
    expect(accountView(book.state, 0).posted).toBe(-705);
    const totals = ledgerTotals(book.state);
    expect(totals.find(({ glAccount }) => glAccount === 2300)).toEqual({
      currency: 986,
      glAccount: 2300,
      sub: 0,
      debit: '1435',
      credit: '1435',
    });
    expect(totals.reduce((sum, { debit, credit }) => sum + BigInt(debit) - BigInt(credit), 0n)).toBe(0n);
  });

  test('a payment that would leave an account with more credit than money can say is refused', () => {
    const book = new Book();
    book.command(account('A'), NOW);
    const pay = (n: number): CommandResult =>
      book.command({ op: 'payment', account: 'A', amount: 999_999_999_999, currency: 986, reference: `${n}` }, NOW);
    let paid = 0;
    while (paid < 1100 && pay(paid).ok) paid++;
    expect(paid).toBe(1000);
    expect(pay(paid)).toMatchObject({ ok: false, code: 'amount_out_of_range' });
    expect(accountView(book.state, 0).posted).toBe(-1000 * 999_999_999_999);
  });

  test('an entry out of balance stops the shard', () => {
    const book = new Book();
    book.command(account('A'), NOW);
    expect(() => owe(book, { 1100: 5 }, 4)).toThrow(/out of balance by 1/);
  });

  test('an idempotency key is found by its hash with the sequence of its record', () => {
    const state = new ShardState(0);
    const keyHash = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
    const event: PlainEvent = {
      kind: EventKind.idempotency,
      sequence: 12,
      timeMs: NOW,
      keyHash,
      bodyHash: keyHash,
      outcome: new Uint8Array(0),
    };
    applyEvent(state, event);
    const { high, low } = keyHash64(keyHash);
    expect(state.idempotency.find(high, low)).toBe(12);
    expect(state.idempotency.find(high, low ^ 1)).toBe(0);
  });
});

/** Posts debts as a clearing would: receivables against settlement payable. */
function owe(book: Book, amounts: Record<number, number>, payable?: number): void {
  const postings = Object.entries(amounts).map(([glAccount, amount]) => ({ glAccount: Number(glAccount), amount }));
  const sum = postings.reduce((total, { amount }) => total + amount, 0);
  const event: PaymentPosted = {
    kind: EventKind.payment,
    sequence: book.history.events.length + 1,
    timeMs: NOW,
    accountSlot: 0,
    amount: sum,
    currency: 986,
    reference: 'debts',
    postings: [...postings, { glAccount: 2100, amount: -(payable ?? sum) }],
    previousOfAccount: 1,
  };
  book.history.add(event, book.keys);
  applyEvent(book.state, event);
}
