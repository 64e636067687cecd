/**
 * Random streams of messages and of entries on command. The reference model answers the messages; what entries did to an account is
 * told to it, so that decisions behind them must still agree. At the end a verification over the records alone finds nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import { EventKind } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { EntryPosted, MessageEvent, PlainEvent } from '#src/domain/events.js';
import { COMPONENTS, component, Gl, POSTED_COMPONENTS } from '#src/domain/ledger/chart.js';
import type { DisputeStep } from '#src/domain/ledger/dispute-steps.js';
import { type EntryOp, entryCommand, entryOp, STEPS } from './entry-operations.js';
import { Player } from './histories.js';
import { type Op, operationOf } from './operations.js';

const PATIENCE_MS = 300_000;
const ACCOUNTS = [
  { account: 'reais', currency: 986 },
  { account: 'yen', currency: 392 },
] as const;

/**
 * The model knows no charge-off, which a payment would pay down: payments are among the entries. Sweeps leave months behind,
 * which no accrual makes up for.
 */
const messageOp = operationOf({ pay: 0, sweep: 0 });
type Step = { message: Op } | { entry: EntryOp };
/** A purchase, cash or shipments that post at once, disputes of them that end, and what the network takes back behind these. */
const disputed = fc
  .record({
    pc: fc.constantFrom(0, 10_000),
    amount: fc.integer({ min: 100, max: 3000 }),
    isShipped: fc.boolean(),
    part: fc.integer({ min: 1, max: 3000 }),
    back: fc.integer({ min: 0, max: 1 }),
    reference: fc.integer({ min: 100, max: 10_000 }),
    end: fc.constantFrom<DisputeStep[]>('write_off', 'win', 'lose'),
    behind: fc.array(
      fc.oneof(
        fc.record<Op & { op: 'reverse' }>({
          ...{ op: fc.constant('reverse'), back: fc.integer({ min: 0, max: 2 }), mti: fc.constantFrom(400, 420) },
          ...{ way: fc.constantFrom('network', 'rrn'), stays: fc.constantFrom(0, 0, 30, 70) },
        }),
        fc.record<Op & { op: 'advise' }>({
          ...{ op: fc.constant('advise'), back: fc.integer({ min: 0, max: 1 }), mti: fc.constant(220) },
          ...{ why: fc.constantFrom('C', 'S'), percent: fc.constantFrom(50, 80, 120), way: fc.constant('network') },
          flags: fc.constant(0),
        }),
        fc.record<Op & { op: 'ship' }>({ op: fc.constant('ship'), back: fc.constant(0), percent: fc.constant(50) }),
        fc.constant<Op>({ op: 'unship', back: 0, stays: 0 }),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ pc, amount, isShipped, part, back, reference, end, behind }): Step[] => {
    const entry = (of: EntryOp['entry'], step: DisputeStep, more: number): Step => ({
      entry: { entry: of, account: 0, amount: part + more, back, step, reference: reference + more },
    });
    const purchase: Op = { op: 'purchase', card: 0, mti: isShipped ? 100 : 200, pc, amount, merchant: 0 };
    const ships: Op[] = isShipped ? [40, 60].map((percent) => ({ op: 'ship', back: 0, percent })) : [];
    const steps = [entry('open_dispute', end, 0), entry('dispute_step', end === 'win' ? 'chargeback' : end, 0)];
    if (end === 'win') steps.push(entry('dispute_step', end, 1));
    return [
      ...[purchase, ...ships].map((message) => ({ message })),
      ...steps,
      ...behind.map((message) => ({ message })),
    ];
  });
const stream: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { weight: 30, arbitrary: messageOp.map((message): Step[] => [{ message }]) },
      { weight: 20, arbitrary: entryOp.map((entry): Step[] => [{ entry }]) },
      { weight: 2, arbitrary: disputed },
    ),
    { maxLength: 80, size: 'max' },
  )
  .map((steps) => steps.flat());

class Stream {
  readonly player = new Player();
  /** Commands that were carried out. */
  readonly done: Change[] = [];

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      if ('message' in step) this.player.play([step.message]);
      else this.#enter(step.entry);
    }
  }

  #enter(op: EntryOp): void {
    const { book, nowMs } = this.player;
    if (op.entry === 'accrue') {
      this.accrue(1 + (op.amount % 3));
      return;
    }
    const command = entryCommand(op, ACCOUNTS, book.history.events);
    if (command === undefined) return;
    const before = book.history.events.length;
    const { ok } = book.command(command, nowMs);
    if (ok) this.done.push(command);
    else expect(book.history.events.length, 'a refusal leaves no record').toBe(before);
    this.player.model.entered(book.history.events.length - before, nowMs);
    for (const event of book.history.events.slice(before))
      if (event.kind === EventKind.entryPosted) this.#tellKept(event as EntryPosted);
    this.#tellModel();
  }

  /** The next slice of the day that it is. */
  accrue(limit: number): boolean {
    const { book, nowMs, model } = this.player;
    const before = book.history.events.length;
    const result = book.accrue(Math.floor(nowMs / 86_400_000), limit, nowMs);
    model.entered(book.history.events.length - before, nowMs);
    this.#tellModel();
    expect(result.ok, 'an accrual is due').toBe(true);
    return 'accrued' in result && result.accrued.isDone;
  }

  /** What ended disputes left to the cardholder of what messages posted. */
  #tellKept(event: EntryPosted): void {
    const { book, model } = this.player;
    const { ended, relatedSequence, legs } = event;
    if (ended === undefined) return;
    const { kept } = model.balances;
    const all = kept.get(ended.posted) ?? { amount: 0, fee: 0, ofPart: new Map<number, number>() };
    kept.set(ended.posted, all);
    all.amount += ended.kept;
    for (const { glAccount, amount } of legs) if (glAccount === Gl.feeIncome) all.fee += amount;
    const { relatedSequence: part } = book.history.events[relatedSequence - 1] as EntryPosted;
    all.ofPart.set(part, (all.ofPart.get(part) ?? 0) + ended.kept);
  }

  #tellModel(): void {
    const { accounts } = this.player.book.state;
    for (const account of this.player.model.balances.accounts.values()) {
      const slot = accounts.find(account.id);
      const [purchases, cash, fees, interest, credit] = COMPONENTS.map((_, which) => accounts.component(slot, which));
      account.owes = { purchases: purchases!, cash: cash!, fees: fees!, interest: interest!, credit: credit! };
      if (this.done.some((command) => command.op === 'charge_off' && command.account === account.id))
        account.status = 'closed';
    }
  }
}

/** What a verification says of the records, and what every account must be. */
function check(played: Stream): void {
  const { player, done } = played;
  const { book } = player;
  const { accounts } = book.state;
  const fold = new DomainFold(() => undefined);
  for (const event of book.history.events) {
    if (event.kind === EventKind.message) fold.applyMessage(0, event as MessageEvent);
    else fold.applyEvent(0, event as PlainEvent);
  }
  fold.finish(0, book.history.events.length);
  for (let slot = 0; slot < accounts.count; slot++) {
    const parts = COMPONENTS.map((_, which) => accounts.component(slot, which));
    const posted = parts.slice(0, POSTED_COMPONENTS).reduce((sum, part) => sum + part, 0);
    expect(accounts.posted(slot)).toBe(posted);
    for (const gl of [1130, 1131, 1200, 5300]) expect(parts[component(gl)], `${gl}`).toBeGreaterThanOrEqual(0);
  }
  book.restart();
  while (!played.accrue(2));
  // What was done once is not done again.
  const records = book.history.events.length;
  const { high, low } = book.state.digest;
  for (const command of done) expect(book.command(command, player.nowMs).ok, command.op).toBe(false);
  expect(played.accrue(100)).toBe(true);
  expect(book.history.events.length).toBe(records);
  expect([book.state.digest.high, book.state.digest.low]).toEqual([high, low]);
}

test('keep the books: entries balance, accounts are the sum of their parts, and nothing is done twice', {
  timeout: PATIENCE_MS,
}, () => {
  fc.assert(
    fc.property(stream, (steps) => {
      const played = new Stream();
      played.run(steps);
      check(played);
    }),
    { numRuns: 400 },
  );
});

test('streams reach every entry and every step', { timeout: PATIENCE_MS }, () => {
  const seen = new Map<string, number>();
  for (const steps of fc.sample(stream, { numRuns: 1200, seed: 11 })) {
    const played = new Stream();
    played.run(steps);
    for (const [what, times] of played.player.model.seen) seen.set(what, (seen.get(what) ?? 0) + times);
    for (const { kind } of played.player.book.history.events) {
      if (kind === EventKind.statementClosed || kind === EventKind.accrualMarked)
        seen.set(`event ${kind}`, (seen.get(`event ${kind}`) ?? 0) + 1);
    }
    for (const command of played.done) {
      const name = command.op === 'dispute_step' ? command.step : command.op;
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  }
  const ops = [
    'fee',
    'waive_fee',
    'return_payment',
    'refund_credit',
    'charge_off',
    'recovery',
    'settlement',
    'network_fee',
  ];
  const cases = ['a reversal of what a dispute has given already', 'a posting that is lowered behind a dispute'];
  for (const name of [...ops, 'open_dispute', ...STEPS, 'event 17', 'event 18', ...cases])
    expect(seen.get(name) ?? 0, name).toBeGreaterThan(5);
});
