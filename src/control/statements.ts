/**
 * Statements: a record closes one, and what led to its balance is the entries of the account between it and the one before. So the
 * sums are read, not kept: previous balance + payments + transactions + fees + interest + adjustments = balance.
 */
import { EventKind } from '../domain/codes.js';
import type { StatementClosed } from '../domain/events.js';
import { postedChange } from '../domain/ledger/chart.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { postedLegs } from './entry-object.js';
import type { JournalRecord } from './history.js';
import { eventId } from './ids.js';
import { dateOf } from './legs.js';
import { time } from './views.js';

/** Changes of the posted balance by what made them, minor units; what the cardholder owes more is positive. */
export class StatementSums {
  payments = 0;
  transactions = 0;
  fees = 0;
  interest = 0;
  adjustments = 0;

  add(record: JournalRecord): void {
    const change = postedChange(postedLegs(record));
    this[kindOf(record)] += change;
  }

  get total(): number {
    return this.payments + this.transactions + this.fees + this.interest + this.adjustments;
  }
}

type Kind = 'payments' | 'transactions' | 'fees' | 'interest' | 'adjustments';

function kindOf({ event }: JournalRecord): Kind {
  if (event?.kind === EventKind.payment) return 'payments';
  if (event?.kind !== EventKind.entryPosted) return 'transactions';
  switch (event.entry) {
    case EntryKind.paymentReturned:
      return 'payments';
    case EntryKind.fee:
    case EntryKind.feeWaived:
      return 'fees';
    case EntryKind.interestBilled:
      return 'interest';
    default:
      return 'adjustments';
  }
}

export function statementObject(
  context: ControlContext,
  account: { id: string; currency: number },
  record: JournalRecord & { event: StatementClosed },
  sums: StatementSums,
): Record<string, unknown> {
  const { payments, transactions, fees, interest, adjustments } = sums;
  return {
    ...statementHead(context, record, record.event, account),
    previous_balance: record.event.balance - sums.total,
    payments,
    transactions,
    fees,
    interest,
    adjustments,
    created_at: time(record.timeMs),
  };
}

/** What the record itself says. */
export function statementHead(
  context: ControlContext,
  { shard, sequence }: JournalRecord,
  { day, balance, minimumDue, dueDay }: StatementClosed,
  account: { id: string; currency: number },
): Record<string, unknown> {
  return {
    object: 'statement',
    id: eventId(context, 'stmt', shard, sequence),
    account: account.id,
    currency: currencyCode(account.currency),
    date: dateOf(day),
    balance,
    minimum_due: minimumDue,
    due_date: dateOf(dueDay),
  };
}
