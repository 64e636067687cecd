/**
 * Streams of everything that moves money: authorizations, increments, advices, reversals, roll-backs, expiries, clearing records of
 * every kind, payments and their return, fees, credit balances paid out, disputes, accruals and statements, charge-offs, recoveries,
 * network fees and settlements. After each step and at the end, what sections 9 and 11 of the domain rules say.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import { AccountType, EventKind } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { DUPLICATE_WINDOW_MS } from '#src/limits.js';
import { long } from '../support/long.js';
import { Book } from './book.js';
import { operation, Run } from './clearing-run.js';
import { type EntryOp, entryCommand, entryOp, STEPS } from './entry-operations.js';

const PATIENCE_MS = 300_000 * long;
const DAY_MS = 86_400_000;
const YEN = 392;
const ACCOUNTS = [
  { account: 'A', currency: 986 },
  { account: 'yen', currency: YEN },
] as const;
const program = new Policy(1, {
  ...defaultTables,
  interest: { purchases: 9125, cash: 3650, fees: 1, grace: true },
  statement: { day: 28, dueDays: 20, minimumBasisPoints: 1000, minimumAmount: 500, monthlyFee: 7 },
});

type Step = { op: Parameters<Run['play']>[0] } | { entry: EntryOp };
const stream: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: operation.map((op) => ({ op })) },
    { weight: 2, arbitrary: entryOp.map((entry) => ({ entry })) },
  ),
  { minLength: 30, maxLength: 90, size: 'max' },
);

class Stream extends Run {
  /** Commands that were carried out. */
  readonly done: Change[] = [];
  #checked = 0;

  constructor() {
    super(new Book(program));
    const yen = { program: 1, currency: YEN, creditLimit: 5000, type: AccountType.credit };
    this.book.command({ op: 'create_account', id: 'yen', ...yen }, this.nowMs);
  }

  step(step: Step): void {
    if ('op' in step) this.play(step.op);
    else this.#enter(step.entry);
    this.check();
    this.#checkEntries();
  }

  #enter(op: EntryOp): void {
    if (op.entry === 'accrue') {
      this.accrue(1 + (op.amount % 2));
      return;
    }
    const { book } = this;
    const command = entryCommand(op, ACCOUNTS, book.history.events);
    if (command === undefined) return;
    const before = book.history.events.length;
    if (book.command(command, this.nowMs).ok) this.done.push(command);
    else expect(book.history.events.length, 'a refusal leaves no record').toBe(before);
  }

  /** @returns whether the day is done, or cannot be done because too many days lie behind */
  accrue(limit: number): boolean {
    const result = this.book.accrue(Math.floor(this.nowMs / DAY_MS), limit, this.nowMs);
    return !result.ok || ('accrued' in result && result.accrued.isDone);
  }

  /** Each new record balances by itself, in every currency. */
  #checkEntries(): void {
    const { events } = this.book.history;
    for (; this.#checked < events.length; this.#checked++) {
      const event = events[this.#checked]!;
      const sums = new Map<number, number>();
      const legs =
        event.kind === EventKind.message
          ? (event as MessageEvent).postings.toList()
          : event.kind === EventKind.payment
            ? event.postings
            : 'legs' in event
              ? event.legs
              : [];
      for (const leg of legs) {
        const currency = 'currency' in leg ? Number(leg.currency) : 0;
        sums.set(currency, (sums.get(currency) ?? 0) + leg.amount);
      }
      for (const sum of sums.values()) expect(sum, `record ${event.sequence}`).toBe(0);
    }
  }
}

/** Every turnover of the book, and what is held. */
function money({ book: { state } }: Stream): string {
  const rows: string[] = [];
  state.ledger.forEach((...row) => void rows.push(row.join(' ')));
  for (let slot = 0; slot < state.accounts.count; slot++) rows.push(`held ${state.accounts.held(slot)}`);
  return rows.join('\n');
}

/** Everything that was said and is not older than the window of repeats, once more. @returns how many were known */
function repeatAll(run: Stream): number {
  let known = 0;
  for (const { input, slot, timeMs, outcome } of run.said) {
    if (run.nowMs - timeMs >= DUPLICATE_WINDOW_MS) continue;
    const again = run.book.message(input, slot, run.nowMs, [9, 9, 9]);
    if (!again.repeated) {
      // Of an approval that was rolled back: told so, which is a record of its own, and never approved again.
      expect(again.response).toBe('68');
      continue;
    }
    known++;
    const { response, approvalCode } = again;
    if (response === '68') continue;
    expect({ response, approvalCode }).toEqual(outcome);
  }
  return known;
}

test('keep every invariant; replay gives the same state, and nothing is done twice', { timeout: PATIENCE_MS }, () => {
  let [posted, entered, known] = [0, 0, 0];
  const numRuns = 150 * long;
  fc.assert(
    fc.property(stream, (steps) => {
      const run = new Stream();
      for (const step of steps) run.step(step);
      const { book } = run;
      while (!run.accrue(2));
      run.check();
      posted += run.fed.length;
      entered += run.done.length;

      const digest = (): bigint[] => [BigInt(book.state.digest.high), BigInt(book.state.digest.low)];
      const before = digest();
      const records = book.history.events.length;
      for (const { file, entry } of [...run.fed]) expect(run.feed(file, entry).outcome).toBe('already');
      for (const command of run.done) expect(book.command(command, run.nowMs).ok, command.op).toBe(false);
      expect(run.accrue(100)).toBe(true);
      expect([book.history.events.length, digest()]).toEqual([records, before]);
      const moneyBefore = money(run);
      known += repeatAll(run);
      expect(money(run)).toBe(moneyBefore);

      book.restart();
      const fold = new DomainFold(() => undefined);
      for (const event of book.history.events) {
        if (event.kind === EventKind.message) fold.applyMessage(0, event as MessageEvent);
        else fold.applyEvent(0, event as PlainEvent);
      }
      fold.finish(0, book.history.events.length);
    }),
    { numRuns },
  );
  // The streams are worth something.
  expect([posted > numRuns * 4, entered > numRuns * 4, known > numRuns * 4]).toEqual([true, true, true]);
});

test('reach every kind of entry and of record', { timeout: PATIENCE_MS }, () => {
  const seen = new Map<string, number>();
  const see = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1);
  for (const steps of fc.sample(stream, { numRuns: 300, seed: 7 })) {
    const run = new Stream();
    for (const step of steps) run.step(step);
    for (const { kind } of run.book.history.events) see(`event ${kind}`);
    for (const command of run.done) see(command.op === 'dispute_step' ? command.step : command.op);
    for (const { entry } of run.fed) see(`clearing ${entry.input.processingCode} ${entry.input.reversal}`);
  }
  const entries = ['payment', 'return_payment', 'fee', 'waive_fee', 'refund_credit', 'charge_off', 'recovery'];
  const network = ['settlement', 'network_fee', 'open_dispute', ...STEPS];
  const { holdExpired, notDelivered, message, statementClosed, accrualMarked } = EventKind;
  const events = [holdExpired, notDelivered, message, statementClosed, accrualMarked].map((kind) => `event ${kind}`);
  const clearing = [0, 10_000, 200_000].flatMap((code) => [`clearing ${code} 0`, `clearing ${code} 1`]);
  for (const name of [...entries, ...network, ...events, ...clearing])
    expect([name, (seen.get(name) ?? 0) > 3]).toEqual([name, true]);
});
