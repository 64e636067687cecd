/** What the sums over the records alone find that the fold does not: it would have to be wrong itself. */
import { describe, expect, it } from 'vitest';
import { BooksOfRecords } from '#src/cli/verify-books.js';
import { DomainFold } from '#src/cli/verify-fold.js';
import { AccountType, EventKind } from '#src/domain/codes.js';
import type { EntryPosted, PlainEvent } from '#src/domain/events.js';
import { feeLegs } from '#src/domain/ledger/entries.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { Book } from '../domain/book.js';

const NOW = 1_790_000_000_000;
const violated = (what: string): never => {
  throw new Error(what);
};

/** A book with a fee, a payment of part of it, and a fee of the network. */
function played(): Book {
  const book = new Book();
  const account = { id: 'A', program: 1, currency: 986, creditLimit: 1000, type: AccountType.credit } as const;
  book.command({ op: 'create_account', ...account }, NOW);
  const of = { account: 'A', currency: 986 };
  book.command({ op: 'fee', ...of, amount: 50, reference: 'f', note: '' }, NOW);
  book.command({ op: 'payment', ...of, amount: 20, reference: 'p' }, NOW);
  book.command(
    { op: 'network_fee', sub: 20_000 * 16 + 65_536 * 16, currency: 986, amount: 7, reference: 'n', note: '' },
    NOW,
  );
  return book;
}

function compare(book: Book, change: (events: PlainEvent[]) => PlainEvent[] = (events) => events): void {
  const books = new BooksOfRecords();
  for (const event of change(book.history.events as PlainEvent[])) books.addEvent(event, violated);
  books.compare(book.state, violated);
}

describe('the sums over the records', () => {
  it('agree with the fold', () => {
    expect(() => compare(played())).not.toThrow();
  });

  it('find a turnover, an account and a row that the fold has otherwise', () => {
    expect(() => compare(played(), (events) => events.filter(({ sequence }) => sequence !== 2))).toThrow(
      'the ledger has debits of 50 and credits of 20, the records 0 and 20 (row 986 1120 0)',
    );
    const book = played();
    book.state.accounts.addComponent(0, 2, 1);
    expect(() => compare(book)).toThrow('account A has 31 on 1120, its records 30');
    const twin = played();
    const moved = (event: PlainEvent): PlainEvent => {
      if (event.kind !== EventKind.entryPosted || event.entry !== EntryKind.networkFee) return event;
      return { ...event, legs: event.legs.map((leg) => ({ ...leg, sub: leg.sub === 0 ? 0 : leg.sub + 1 })) };
    };
    expect(() => compare(twin, (events) => events.map(moved))).toThrow(
      /^the ledger has debits of 0 and credits of 7, the records 0 and 0/,
    );
    const fewer = played();
    fewer.state = new Book().state;
    expect(() => compare(fewer)).toThrow('the ledger has no row 986 1120 0, the records have');
  });

  it('find a record out of balance', () => {
    const bent = (event: PlainEvent): PlainEvent =>
      event.kind === EventKind.payment ? { ...event, postings: event.postings.slice(1) } : event;
    expect(() => compare(played(), (events) => events.map(bent))).toThrow(
      'the record at 3 is out of balance by -20 in currency 986',
    );
  });

  it('find an entry that was posted twice, as a verification does', () => {
    const fold = new DomainFold(() => undefined);
    const head = { timeMs: NOW, accountSlot: 0 };
    const account = { id: 'a', program: 0, currency: 986, creditLimit: 100_000, type: AccountType.credit };
    fold.applyEvent(0, { ...head, kind: EventKind.accountCreated, sequence: 1, ...account });
    for (const sequence of [2, 3]) {
      const place = {
        cardSlot: -1,
        day: 20_717,
        relatedSequence: 0,
        previousOfAccount: sequence - 1,
        previousOfCard: 0,
      };
      const legs = feeLegs({ amount: 5, currency: 986 });
      const named = { entry: EntryKind.fee, reference: 'once', note: '', carry: 0, legs };
      fold.applyEvent(0, { ...head, ...place, ...named, kind: EventKind.entryPosted, sequence } satisfies EntryPosted);
    }
    expect(() => fold.finish(0, 3)).toThrow('2 entries have a reference, and 1 references are known');
  });
});
