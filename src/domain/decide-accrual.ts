/**
 * The daily accrual of one shard, slice by slice: interest of the day for every account, and on its statement day what was accrued
 * becomes owed, the monthly fee is charged and a statement is closed; the day after a due date a late fee. It reads balances as they are when it runs.
 *
 * Once per account and day: a slice ends with a mark (AccrualMarked) in the same frame as its entries, and accounts below the mark
 * are done. So a slice that was lost with its frame is done again, and one that was kept is not. Days are done one after the other:
 * a run for a later day first finishes the days before it.
 */
import { ACCRUAL_DAYS_BEHIND_MAX, ACCRUAL_READS_MAX } from '../limits.js';
import { BillingCycles, CASH_INTEREST } from './billing-cycle.js';
import { civilOfDay, dayText } from './calendar.js';
import { AccountStatus, AccountType, EventKind } from './codes.js';
import type { CommandResult } from './commands.js';
import { type CommandContext, type Commit, refuse } from './commit.js';
import type { Accrue } from './entry-commands.js';
import { Desk } from './entry-desk.js';
import { balancesOf } from './ledger/balances.js';
import { component, Gl } from './ledger/chart.js';
import { feeLegs, interestAccruedLegs, interestBilledLegs, interestWaivedLegs } from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { interestOfDay } from './ledger/interest.js';
import { mulDivFloor } from './money.js';
import type { PolicyTables } from './program/policy.js';
import { type InterestTable, NO_STATEMENTS, SPREAD, type StatementTable } from './program/tables.js';

const DAY_MS = 86_400_000;
/** Statement days lie in what every month has. */
const STATEMENT_DAYS = 28;

/** Does the next slice of accounts, and says whether the day is done with it. */
export function decideAccrual(context: CommandContext, command: Accrue, nowMs: number, commit: Commit): CommandResult {
  const { state, policies } = context;
  const { day, limit } = command;
  const mark = state.accrual;
  const wrong = wrongDay(command, mark.day, Math.floor(nowMs / DAY_MS));
  if (wrong !== undefined) return refuse('day_out_of_range', wrong);
  const { accounts } = state;
  const atEnd = mark.nextSlot >= accounts.count;
  if (mark.day === day && atEnd)
    return { ok: true, sequence: 0, accrued: { day, isDone: true, accounts: 0, entries: 0, statements: 0 } };
  const current = mark.day === 0 ? day : atEnd ? mark.day + 1 : mark.day;
  const from = current === mark.day ? mark.nextSlot : 0;
  let nextSlot = Math.min(accounts.count, from + limit);
  const round = new Round(new Desk(context, nowMs, commit), current, nowMs, commit);
  for (let slot = from; slot < nextSlot; slot++) {
    if (!accounts.exists(slot) || Math.floor(accounts.createdMs(slot) / DAY_MS) > current) continue;
    round.account(slot, policies.of(accounts.program(slot)).tables);
    // Enough for a turn: the next slice goes on behind this account.
    if (round.reads > ACCRUAL_READS_MAX) nextSlot = slot + 1;
  }
  const event = { kind: EventKind.accrualMarked, sequence: 0, timeMs: nowMs, day: current, nextSlot };
  commit(event);
  const isDone = current === day && nextSlot >= accounts.count;
  const { entries, statements } = round;
  return {
    ok: true,
    sequence: event.sequence,
    accrued: { day: current, isDone, accounts: nextSlot - from, entries, statements },
  };
}

/**
 * Why the accrual cannot run for a day, with what can be done. The first day of all sets the mark for good, and every day after it is
 * accrued in turn: so it may not lie further back than a later run may catch up.
 * @param done day of the mark, 0 before the first accrual @param today by the shard's clock; all in days since 1970-01-01
 */
function wrongDay({ day, isBegun }: Accrue, done: number, today: number): string | undefined {
  const asked = dayText(day);
  if (day > today) return `${asked} has not begun: today is ${dayText(today)} by UTC, ask for that or an earlier day`;
  if (done > day) return `${asked} is over: the accrual has done ${dayText(done)}, ask for that or a later day`;
  const most = ACCRUAL_DAYS_BEHIND_MAX;
  if (done > 0 && day - done > most)
    return `${asked} is more than ${most} days after ${dayText(done)}, where the accrual is: run it for ${dayText(done + most)} first`;
  if (done === 0 && isBegun !== true && today - day > most)
    return `${asked} is more than ${most} days before today: the first accrual is for ${dayText(today - most)} or later`;
  return undefined;
}

/** One slice of accounts on one day. */
class Round {
  entries = 0;
  statements = 0;
  readonly #desk: Desk;
  readonly #day: number;
  readonly #nowMs: number;
  readonly #commit: Commit;
  readonly #cycles: BillingCycles;

  constructor(desk: Desk, day: number, nowMs: number, commit: Commit) {
    this.#cycles = new BillingCycles(desk.context, nowMs);
    this.#desk = desk;
    this.#day = day;
    this.#nowMs = nowMs;
    this.#commit = commit;
  }

  /** Records that were looked at. */
  get reads(): number {
    return this.#cycles.reads;
  }

  account(slot: number, { interest, statement, lateFee }: PolicyTables): void {
    this.#accrue(slot, interest);
    if (lateFee > 0 && isStatementDay(statement, slot, this.#day - statement.dueDays - 1)) this.#late(slot, lateFee);
    if (isStatementDay(statement, slot, this.#day)) this.#close(slot, statement, interest.grace);
  }

  /** With grace, what cash earns is an entry of its own, since it is never free. */
  #accrue(accountSlot: number, rates: InterestTable): void {
    const { accounts } = this.#desk.state;
    // What is presented late to an account that was given up waits to be charged off as well.
    if (this.#desk.chargedOff(accountSlot) > 0) return;
    const before = accounts.interestCarry(accountSlot);
    const { amount, cash, carry } = interestOfDay(balancesOf(accounts, accountSlot), rates, before);
    if (amount === 0 && carry === before) return;
    const currency = accounts.currency(accountSlot);
    const legs = interestAccruedLegs({ amount, currency });
    // What nobody can owe is not accrued either.
    if (this.#desk.outOfRange(accountSlot, legs) !== undefined) return;
    if (!rates.grace || cash === 0) {
      this.#post(EntryKind.interestAccrued, accountSlot, legs, '', carry);
      return;
    }
    const rest = interestAccruedLegs({ amount: amount - cash, currency });
    if (rest.length > 0) this.#post(EntryKind.interestAccrued, accountSlot, rest, '', carry);
    const ofCash = interestAccruedLegs({ amount: cash, currency });
    this.#post(EntryKind.interestAccrued, accountSlot, ofCash, CASH_INTEREST, carry);
  }

  /** The day after a due date: a fee where less than the minimum was paid by then. */
  #late(accountSlot: number, amount: number): void {
    const { accounts } = this.#desk.state;
    if (accounts.status(accountSlot) === AccountStatus.closed) return;
    const statement = this.#cycles.statements(accountSlot).find(({ dueDay }) => dueDay === this.#day - 1);
    if (statement === undefined) return;
    const paid = this.#cycles.paid(statement, statement.dueDay);
    if (paid === undefined || paid >= statement.minimumDue) return;
    const legs = feeLegs({ amount, currency: accounts.currency(accountSlot) });
    if (this.#desk.outOfRange(accountSlot, legs) !== undefined) return;
    this.#post(EntryKind.fee, accountSlot, legs, LATE_FEE);
  }

  /** Takes back what accrued on purchases and fees since the statement before, when that was paid in full by its due date. */
  #waive(accountSlot: number): void {
    const { accounts } = this.#desk.state;
    const [before] = this.#cycles.statements(accountSlot);
    if (before !== undefined && before.balance > 0) {
      const paid = this.#cycles.paid(before, before.dueDay);
      if (paid === undefined || paid < before.balance) return;
    }
    const accrued = accounts.component(accountSlot, component(Gl.interestAccrued));
    const free = Math.min(accrued, this.#cycles.accruedOnPurchases(accountSlot, before?.sequence ?? 0));
    if (free <= 0) return;
    const legs = interestWaivedLegs({ amount: free, currency: accounts.currency(accountSlot) });
    this.#post(EntryKind.interestWaived, accountSlot, legs, '');
  }

  /** The statement of a credit account; of a closed one as long as it owes or has something. */
  #close(accountSlot: number, table: StatementTable, grace: boolean): void {
    const { accounts } = this.#desk.state;
    if (accounts.type(accountSlot) !== AccountType.credit) return;
    if (grace) this.#waive(accountSlot);
    const currency = accounts.currency(accountSlot);
    const accrued = accounts.component(accountSlot, component(Gl.interestAccrued));
    const billed = interestBilledLegs({ amount: accrued, currency });
    if (accrued > 0 && this.#desk.outOfRange(accountSlot, billed) === undefined) {
      this.#post(EntryKind.interestBilled, accountSlot, billed, '');
    }
    const isClosed = accounts.status(accountSlot) === AccountStatus.closed;
    const fee = feeLegs({ amount: table.monthlyFee, currency });
    if (fee.length > 0 && !isClosed && this.#desk.outOfRange(accountSlot, fee) === undefined) {
      this.#post(EntryKind.fee, accountSlot, fee, MONTHLY_FEE);
    }
    const balance = accounts.posted(accountSlot);
    if (isClosed && balance === 0) return;
    this.statements++;
    this.#commit({
      kind: EventKind.statementClosed,
      sequence: 0,
      timeMs: this.#nowMs,
      accountSlot,
      day: this.#day,
      balance,
      minimumDue: minimumDue(table, balance),
      dueDay: this.#day + table.dueDays,
      previousOfAccount: accounts.newest(accountSlot),
    });
  }

  #post(entry: EntryKind, accountSlot: number, legs: ReturnType<typeof feeLegs>, note: string, carry = 0): void {
    this.#desk.post({ entry, accountSlot, reference: '', legs, note, carry, day: this.#day });
    this.entries++;
  }
}

const MONTHLY_FEE = 'monthly fee';
const LATE_FEE = 'late fee';

export function isStatementDay({ day }: StatementTable, slot: number, today: number): boolean {
  if (day === NO_STATEMENTS) return false;
  return civilOfDay(today) % 32 === (day === SPREAD ? 1 + (slot % STATEMENT_DAYS) : day);
}

/** Basis points of the balance, at least the minimum amount, at most the balance; nothing of an account in credit. */
export function minimumDue({ minimumBasisPoints, minimumAmount }: StatementTable, balance: number): number {
  if (balance <= 0) return 0;
  return Math.min(balance, Math.max(minimumAmount, mulDivFloor(balance, minimumBasisPoints, 10_000)));
}
