/** Cards that get another fingerprint of their number, and what is left of messages about numbers that no card has. */
import { describe, expect, it } from 'vitest';
import { applyEvent } from '#src/domain/apply.js';
import { AccountType, CardStatus, Check, EventKind } from '#src/domain/codes.js';
import { RowCursor } from '#src/domain/columns.js';
import type { CommandResult } from '#src/domain/commands.js';
import { noCryptography } from '#src/domain/cryptography.js';
import type { Fingerprint, FingerprintChanged, PlainEvent } from '#src/domain/events.js';
import type { ChangeFingerprints, CreateCard } from '#src/domain/party-commands.js';
import { PIN_REFERENCE_BYTES } from '#src/domain/pin-table.js';
import { ShardState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { ledgerTotals } from '#src/domain/views.js';
import { FINGERPRINTS_COMMAND_MAX } from '#src/limits.js';
import { Book } from './book.js';
import { toInput, transmissionOf } from './messages.js';

const NOW = Date.UTC(2026, 4, 20);
const of = (n: number): Fingerprint => [n, n + 1, n + 2];
const SEALED = new Uint8Array(PIN_REFERENCE_BYTES).fill(1);
const RESEALED = new Uint8Array(PIN_REFERENCE_BYTES).fill(2);

/** Whoever seals PINs anew. */
const sealer = { ...noCryptography, resealedPin: () => RESEALED };

/** An account with cards of fingerprints 0, 10, 20 ...; the first has a PIN. */
function opened(cards: number): Book {
  const book = new Book(undefined, sealer);
  book.command(
    { op: 'create_account', id: 'A', program: 1, currency: 986, creditLimit: 100_000, type: AccountType.credit },
    NOW,
  );
  for (let n = 0; n < cards; n++) expect(create(book, n * 10, n === 0 ? { pinReference: SEALED } : {}).ok).toBe(true);
  return book;
}

function create(book: Book, fingerprint: number, more: Partial<CreateCard> = {}): CommandResult {
  return book.command(
    {
      ...{ op: 'create_card', account: 'A', fingerprint: of(fingerprint), bin: 999_999, last4: 1, panLength: 16 },
      ...{ expiry: 2912, cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1, ...more },
    },
    NOW,
  );
}

const change = (book: Book, ...cards: ChangeFingerprints['cards'][number][]): CommandResult =>
  book.command({ op: 'change_fingerprints', cards }, NOW);
const sealedOf = ({ state }: Book, slot: number): Uint8Array => {
  const bytes = new Uint8Array(PIN_REFERENCE_BYTES);
  state.pins.copy(slot, bytes);
  return bytes;
};

describe('another fingerprint', () => {
  it('is a record of the card, with its PIN sealed anew; the card is found by it alone', () => {
    const book = opened(2);
    const before = book.state.cards.newest(0);
    const result = change(
      book,
      { cardSlot: 0, before: of(0), after: of(100) },
      { cardSlot: 1, before: of(10), after: of(110) },
    );
    expect(result).toMatchObject({ ok: true, fingerprints: { changed: 2, unknown: 0 } });
    const { cards } = book.state;
    expect([cards.find(...of(0)), cards.find(...of(100)), cards.find(...of(110))]).toEqual([-1, 0, 1]);
    expect([sealedOf(book, 0), book.state.pins.has(1)]).toEqual([RESEALED, false]);
    const [first, second] = book.history.events.slice(-2) as FingerprintChanged[];
    expect(first).toMatchObject({ kind: EventKind.fingerprintChanged, previousOfCard: before, sealed: RESEALED });
    expect([second!.sealed.length, cards.newest(1)]).toEqual([0, second!.sequence]);
    book.restart();
    expect([book.state.cards.find(...of(100)), sealedOf(book, 0)]).toEqual([0, RESEALED]);
  });

  it('once: who asks again is answered that it is done, and what is neither is told', () => {
    const book = opened(1);
    const move = { cardSlot: 0, before: of(0), after: of(100) };
    change(book, move);
    const { length } = book.history.events;
    expect(change(book, move)).toMatchObject({ ok: true, fingerprints: { changed: 0, unknown: 0 } });
    const strange = [
      { ...move, after: of(200) },
      { ...move, cardSlot: 7 },
    ];
    expect(change(book, ...strange)).toMatchObject({ ok: true, fingerprints: { changed: 0, unknown: 2 } });
    expect(book.history.events).toHaveLength(length);
    expect(change(book, ...new Array(FINGERPRINTS_COMMAND_MAX + 1).fill(move))).toMatchObject({
      code: 'capacity_exceeded',
    });
  });

  it('a row that has it already is not changed by an older record of it', () => {
    const book = opened(64);
    for (let n = 0; n < 64; n++) change(book, { cardSlot: n, before: of(n * 10), after: of(5000 + n * 10) });
    // Rows of now, and all records once more.
    const state = new ShardState(0);
    const cursor = new RowCursor();
    book.state.cards.writeBlock(0, cursor.attach(new Uint8Array(1 << 16), 0));
    state.readEntry(Table.card, 0, cursor.bytes, 0, cursor.at);
    for (const event of book.history.events) applyEvent(state, event as PlainEvent);
    for (let n = 0; n < 64; n++) expect(state.cards.find(...of(5000 + n * 10))).toBe(n);
  });

  it('a number has one card, by whichever fingerprint of it', () => {
    const book = opened(1);
    expect(create(book, 100, { formerly: [of(0)] })).toMatchObject({ code: 'card_exists' });
    change(book, { cardSlot: 0, before: of(0), after: of(100) });
    expect(create(book, 100)).toMatchObject({ code: 'card_exists' });
    const alias = { cardSlot: 0, bin: 999_999, last4: 1, panLength: 16, expiry: 2912, status: CardStatus.active };
    const token = (fingerprint: number, formerly: Fingerprint[]): CommandResult =>
      book.command({ op: 'create_alias', ...alias, fingerprint: of(fingerprint), formerly }, NOW);
    expect(token(300, [of(100)])).toMatchObject({ code: 'card_exists' });
    expect(token(300, [of(400)])).toMatchObject({ ok: true });
  });

  it('a PIN that was sealed for the one of before is refused', () => {
    const book = opened(1);
    const pin = { op: 'update_card', cardSlot: 0, pinReference: SEALED, sealedFor: of(0) } as const;
    expect(book.command(pin, NOW)).toMatchObject({ ok: true });
    change(book, { cardSlot: 0, before: of(0), after: of(100) });
    expect(book.command(pin, NOW)).toMatchObject({ ok: false, code: 'shard_unavailable' });
    expect(sealedOf(book, 0)).toEqual(RESEALED);
    expect(book.command({ ...pin, sealedFor: of(100) }, NOW)).toMatchObject({ ok: true });
  });
});

describe('a message about a number that no card has, before and after the numbers get other fingerprints', () => {
  const head = { amount: 500, currency: 986, pc: 0, rrn: 'R1', terminal: 'T1', acquirer: '1' };
  const de7 = transmissionOf(NOW);
  const request = { mti: 100, stan: 1, de7, ...head };
  const reversal = { mti: 400, stan: 2, de7, ...head, de90: { mti: 100, stan: 1, de7 } };
  const advice = { mti: 220, stan: 3, de7, ...head };

  it.each([
    ['a request', [request], request, '14'],
    ['a request behind its reversal', [reversal], request, undefined],
    ['an advice', [advice], advice, '00'],
    ['an advice behind its reversal', [{ ...reversal, de90: { mti: 220, stan: 3, de7 } }], advice, '00'],
    ['a reversal', [request, reversal], reversal, undefined],
  ])('%s is declined or taken note of, and moves nothing', (_what, earlier, message, response) => {
    const book = opened(1);
    const books = () => ({
      ledger: ledgerTotals(book.state),
      held: book.state.accounts.held(0),
      holds: book.state.holds.count,
      totals: book.state.totals.count,
    });
    const before = books();
    const say = (one: Parameters<typeof toInput>[0], fingerprint: Fingerprint) =>
      book.message(toInput(one), -1, NOW, fingerprint);
    for (const one of earlier) say(one, of(777));
    const repeated = say(message, of(777));
    const afresh = say(message, of(888));
    // Under one fingerprint it is a repeat or finds the reversal, under another one it is a message of its own.
    expect([afresh.repeated, afresh.event.approvedAmount, afresh.event.holdDelta]).toEqual([false, 0, 0]);
    expect(afresh.event.postings.count + afresh.event.changes.count).toBe(0);
    if (response !== undefined) expect(afresh.response).toBe(response);
    // Neither is an approval of a request.
    if (message.mti === 100) expect([repeated.response, afresh.response]).not.toContain('00');
    else expect(afresh.response).toBe(repeated.response);
    expect(books()).toEqual(before);
    expect(afresh.event.checks[Check.pin]).toBe(repeated.event.checks[Check.pin]);
  });
});
