/**
 * What has become of an account's newest statement, read from the account's records since: what was paid of it by a day, and what
 * interest has accrued that may be free. Read once a month and account, on the days that ask; bounded by CYCLE_RECORDS_MAX.
 */
import { CYCLE_RECORDS_MAX } from '../limits.js';
import { EventKind } from './codes.js';
import type { CommandContext } from './commit.js';
import type { EntryPosted, PlainEvent, StatementClosed } from './events.js';
import { foundAt } from './history.js';
import { Gl } from './ledger/chart.js';
import { EntryKind } from './ledger/entry-kinds.js';

const DAY_MS = 86_400_000;
/** Statements that are older are of no account: due dates are at most 60 days away. */
const STATEMENT_DAYS = 100;
/** Note of what cash has accrued, which is never free. */
export const CASH_INTEREST = 'cash';

export class BillingCycles {
  /** Records read so far. */
  reads = 0;
  readonly #context: CommandContext;
  readonly #nowMs: number;

  constructor(context: CommandContext, nowMs: number) {
    this.#context = context;
    this.#nowMs = nowMs;
  }

  /** Statements of the account, newest first; none that are very old. */
  statements(accountSlot: number): StatementClosed[] {
    const { history, keys } = this.#context;
    keys.statementsKey(accountSlot);
    const found = foundAt(history, keys, this.#nowMs - STATEMENT_DAYS * DAY_MS);
    this.reads += found.length;
    return found.reverse().flatMap((at) => {
      const event = history.readEvent(at);
      return event?.kind === EventKind.statementClosed && event.accountSlot === accountSlot ? [event] : [];
    });
  }

  /**
   * What was paid, and given back by clearing records, since a statement: through a day (since 1970-01-01), payments that were
   * returned since not counted. Minor units; undefined when there are too many records to tell.
   */
  paid({ accountSlot, sequence }: StatementClosed, throughDay: number): number | undefined {
    const inTime = ({ timeMs }: PlainEvent): boolean => Math.floor(timeMs / DAY_MS) <= throughDay;
    const returned = new Set<number>();
    let sum = 0;
    // From the newest on: a return stands behind its payment.
    const isWhole = this.#walk(accountSlot, sequence, (event) => {
      if (event.kind === EventKind.entryPosted && event.entry === EntryKind.paymentReturned)
        returned.add(event.relatedSequence);
      else if (event.kind === EventKind.payment && inTime(event) && !returned.has(event.sequence)) sum += event.amount;
      else if (event.kind === EventKind.clearingPosted && inTime(event)) sum += Math.max(0, 0 - event.posted);
    });
    return isWhole ? sum : undefined;
  }

  /** Interest that accrued on purchases and fees behind the record at `after` and is not billed; minor units. */
  accruedOnPurchases(accountSlot: number, after: number): number {
    let sum = 0;
    this.#walk(accountSlot, after, (event) => {
      if (event.kind === EventKind.entryPosted && event.entry === EntryKind.interestAccrued) sum += accruedFree(event);
    });
    return sum;
  }

  /** Visits the account's records that are no messages, newest first; false when it gave up. */
  #walk(accountSlot: number, after: number, visit: (event: PlainEvent) => void): boolean {
    const { state, history } = this.#context;
    let left = CYCLE_RECORDS_MAX;
    for (let at = state.accounts.newest(accountSlot); at > after; ) {
      if (left-- === 0 || at <= history.floor) return false;
      this.reads++;
      const event = history.readEvent(at);
      if (event !== undefined) visit(event);
      at = event === undefined ? history.read(at).previousOfAccount : previousOf(event);
    }
    return true;
  }
}

const accruedFree = ({ note, legs }: EntryPosted): number =>
  note === CASH_INTEREST ? 0 : (legs.find(({ glAccount }) => glAccount === Gl.interestAccrued)?.amount ?? 0);

/** 0 where the chain begins. */
const previousOf = (event: PlainEvent): number => ('previousOfAccount' in event ? event.previousOfAccount : 0);
