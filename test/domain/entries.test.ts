import { beforeEach, describe, expect, test } from 'vitest';
import { AccountStatus, AccountType, EventKind } from '#src/domain/codes.js';
import type { Change, CommandResult } from '#src/domain/commands.js';
import type { StepDispute } from '#src/domain/entry-commands.js';
import type { EntryPosted } from '#src/domain/events.js';
import { COMPONENTS, component } from '#src/domain/ledger/chart.js';
import { type DisputeStep, isSettledStep } from '#src/domain/ledger/dispute-steps.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { CREDIT_BALANCE_MAX } from '#src/limits.js';
import { Book } from './book.js';

const NOW = Date.UTC(2026, 10, 26, 15);
const BRL = 986;
const SUB = subAccount({ network: 1, day: 20_783, cycle: 2 });

let book: Book;
const run = (command: Change): CommandResult => book.command(command, NOW);
const codeOf = (command: Change): string => {
  const before = book.history.events.length;
  const result = run(command);
  if (result.ok) return 'ok';
  expect(book.history.events.length, 'a refusal leaves no record').toBe(before);
  return result.code;
};
const onA = { account: 'A', currency: BRL };
const fee = (amount: number, reference: string): Change => ({ op: 'fee', ...onA, amount, reference, note: '' });
const pay = (amount: number, reference: string): Change => ({ op: 'payment', ...onA, amount, reference });
const waive = (sequence: number): Change => ({ op: 'waive_fee', sequence, note: '' });
const chargeOff = (reference: string): Change => ({ op: 'charge_off', account: 'A', reference, note: '' });

/** Sequence of a command that must be carried out. */
function done(command: Change): number {
  const result = run(command);
  if (!result.ok) throw new Error(`${command.op}: ${result.code} ${result.detail}`);
  return result.sequence;
}

/** Parts of the account that are not zero, D positive. */
const parts = (): Record<number, number> =>
  Object.fromEntries(
    COMPONENTS.map((gl) => [gl, book.state.accounts.component(0, component(gl))]).filter(([, amount]) => amount !== 0),
  );

/** Balances of the chart that no account has part in. */
function general(): Record<string, bigint> {
  const balances: Record<string, bigint> = {};
  book.state.ledger.forEach((_currency, gl, debit, credit, sub) => {
    if (component(gl) >= 0 || debit === credit) return;
    balances[sub === 0 ? gl : `${gl} @`] = debit - credit;
  });
  return balances;
}

const event = (sequence: number): EntryPosted => book.history.at(sequence) as EntryPosted;

beforeEach(() => {
  book = new Book();
  const account = {
    op: 'create_account',
    program: 1,
    currency: BRL,
    creditLimit: 1000,
    type: AccountType.credit,
  } as const;
  run({ ...account, id: 'A' });
  run({ ...account, id: 'B' });
});

describe('a fee', () => {
  test('is owed, once per reference, and names its day and its account', () => {
    const sequence = done({ ...fee(20, 'late-1'), note: 'late' } as Change);
    expect(event(sequence)).toEqual({
      kind: EventKind.entryPosted,
      sequence,
      timeMs: NOW,
      entry: EntryKind.fee,
      accountSlot: 0,
      cardSlot: -1,
      day: 20_783,
      reference: 'late-1',
      relatedSequence: 0,
      note: 'late',
      carry: 0,
      legs: [
        { glAccount: 1120, currency: BRL, sub: 0, amount: 20 },
        { glAccount: 4300, currency: BRL, sub: 0, amount: -20 },
      ],
      previousOfAccount: 1,
      previousOfCard: 0,
    });
    expect(run(fee(5, 'late-2'))).toMatchObject({ ok: true, balanceAfter: 25, account: { id: 'A', posted: 25 } });
    expect(codeOf(fee(20, 'late-1'))).toBe('reference_exists');
    // Another kind of entry has references of its own.
    expect(codeOf(pay(1, 'late-1'))).toBe('ok');
    expect(codeOf({ ...fee(20, 'late-1'), account: 'B' } as Change)).toBe('ok');
  });

  test('is refused with a code', () => {
    expect(codeOf({ ...fee(1, 'x'), account: 'C' } as Change)).toBe('account_not_found');
    expect(codeOf({ ...fee(1, 'x'), currency: 840 } as Change)).toBe('currency_mismatch');
    for (const amount of [0, -1, 1.5, 1e12]) expect(codeOf(fee(amount, 'x'))).toBe('amount_out_of_range');
  });

  test('may not make an account owe more than money can say', () => {
    let charged = 0;
    while (charged < 1100 && run(fee(999_999_999_999, `${charged}`)).ok) charged++;
    expect(charged).toBe(1000);
    expect(codeOf(fee(CREDIT_BALANCE_MAX - 999_999_999_999_000, 'rest'))).toBe('ok');
    expect(codeOf(fee(1, 'one more'))).toBe('amount_out_of_range');
  });

  test('is waived once, in full, and what was paid of it is a credit balance', () => {
    const sequence = done(fee(20, 'f'));
    done(pay(15, 'p'));
    const waived = done(waive(sequence));
    expect(event(waived)).toMatchObject({
      entry: EntryKind.feeWaived,
      relatedSequence: sequence,
      reference: `${sequence}`,
    });
    expect(parts()).toEqual({ 2200: -15 });
    expect(codeOf(waive(sequence))).toBe('already_reversed');
    expect(codeOf(waive(waived))).toBe('entry_not_found');
    expect(codeOf(waive(1))).toBe('entry_not_found');
  });
});

describe('a payment that is returned', () => {
  test('is taken back part by part, once, with the fee for it', () => {
    done(fee(20, 'f'));
    const payment = done(pay(100, 'p'));
    expect(parts()).toEqual({ 2200: -80 });
    const result = run({ op: 'return_payment', sequence: payment, fee: 7, note: 'no funds' });
    expect(result).toMatchObject({ ok: true, sequence: payment + 1, feeSequence: payment + 2, balanceAfter: 27 });
    expect(parts()).toEqual({ 1120: 27 });
    expect(event(payment + 1)).toMatchObject({ relatedSequence: payment, note: 'no funds' });
    expect(event(payment + 2)).toMatchObject({ entry: EntryKind.fee, relatedSequence: payment });
    expect(codeOf({ op: 'return_payment', sequence: payment, fee: 0, note: '' })).toBe('already_reversed');
    expect(codeOf({ op: 'return_payment', sequence: 1, fee: 0, note: '' })).toBe('entry_not_found');
    expect(codeOf(waive(payment + 2))).toBe('ok');
    expect(general()).toEqual({ 4300: -20n });
  });

  test('needs no fee, and a fee within range', () => {
    const payment = done(pay(100, 'p'));
    expect(codeOf({ op: 'return_payment', sequence: payment, fee: -2, note: '' })).toBe('amount_out_of_range');
    expect(codeOf({ op: 'return_payment', sequence: payment, fee: 0, note: '' })).toBe('ok');
    expect(parts()).toEqual({});
  });

  test('costs what the program takes, unless the request says it', () => {
    book = new Book(new Policy(1, { ...defaultTables, returnedPaymentFee: 70 }));
    run({ op: 'create_account', id: 'A', program: 1, currency: BRL, creditLimit: 1000, type: AccountType.credit });
    const back = (fee: number) => run({ op: 'return_payment', sequence: done(pay(40, `p${fee}`)), fee, note: '' });
    expect([back(-1), back(0), back(5)].map((result) => 'feeSequence' in result)).toEqual([true, false, true]);
    // 70 and 5; three payments of 40 came and went.
    expect(parts()[1120]).toBe(75);
    // What is charged off costs nothing more.
    const payment = done(pay(10, 'q'));
    done(chargeOff('c'));
    expect(run({ op: 'return_payment', sequence: payment, fee: -1, note: '' })).not.toHaveProperty('feeSequence');
  });

  test('has no fee when the account is charged off', () => {
    done(fee(100, 'f'));
    const payment = done(pay(40, 'p'));
    done(chargeOff('c'));
    expect(codeOf({ op: 'return_payment', sequence: payment, fee: 5, note: '' })).toBe('account_charged_off');
    expect(codeOf({ op: 'return_payment', sequence: payment, fee: 0, note: '' })).toBe('ok');
  });

  test('is owed as purchases where the credit it made was paid out', () => {
    const payment = done(pay(100, 'p'));
    done({ op: 'refund_credit', ...onA, amount: 70, reference: 'r' });
    done({ op: 'return_payment', sequence: payment, fee: 0, note: '' });
    expect(parts()).toEqual({ 1100: 70 });
  });
});

describe('a refund of the credit balance', () => {
  test('pays out what is in credit beyond what is owed', () => {
    const refund = (amount: number, reference: string): Change => ({ op: 'refund_credit', ...onA, amount, reference });
    expect(codeOf(refund(1, 'r'))).toBe('balance_too_low');
    done(pay(100, 'p'));
    done(fee(30, 'f'));
    expect(codeOf(refund(71, 'r'))).toBe('balance_too_low');
    expect(codeOf(refund(70, 'r'))).toBe('ok');
    expect(parts()).toEqual({ 1120: 30, 2200: -30 });
    expect(general()).toEqual({ 1310: 30n, 4300: -30n });
    expect(codeOf(refund(1, 'r'))).toBe('reference_exists');
  });
});

describe('a charge-off', () => {
  test('closes the account, bounds its recoveries, and lets a payment pay it down', () => {
    expect(codeOf(chargeOff('c'))).toBe('nothing_owed');
    done(fee(100, 'f'));
    const sequence = done(chargeOff('c'));
    expect(parts()).toEqual({ 5300: 100 });
    expect(book.state.accounts.posted(0)).toBe(0);
    expect(book.state.accounts.status(0)).toBe(AccountStatus.closed);
    expect(book.history.at(sequence + 1)).toMatchObject({
      kind: EventKind.accountUpdated,
      previousOfAccount: sequence,
    });
    expect(codeOf(fee(1, 'g'))).toBe('account_charged_off');
    const recovery = (amount: number, reference: string): Change => ({ op: 'recovery', ...onA, amount, reference });
    expect(codeOf(recovery(101, 'r'))).toBe('balance_too_low');
    expect(codeOf(recovery(60, 'r'))).toBe('ok');
    done(pay(50, 'p'));
    expect(parts()).toEqual({ 2200: -10 });
    expect(codeOf(recovery(1, 's'))).toBe('balance_too_low');
    expect(general()).toEqual({ 1310: 110n, 4300: -100n });
  });

  test('may be recovered to the last cent', () => {
    done(fee(100, 'f'));
    done(chargeOff('c'));
    done({ op: 'recovery', ...onA, amount: 100, reference: 'r' });
    expect(codeOf({ op: 'recovery', ...onA, amount: 1, reference: 's' })).toBe('balance_too_low');
  });

  test('may follow another one, under another reference', () => {
    done(fee(100, 'f'));
    const waived = book.history.events.length;
    done(chargeOff('c'));
    expect(codeOf(chargeOff('c'))).toBe('reference_exists');
    // What was charged off cannot be waived away: the mirror is a credit balance.
    done(waive(waived));
    expect(parts()).toEqual({ 5300: 100, 2200: -100 });
    expect(codeOf(chargeOff('d'))).toBe('nothing_owed');
    expect(codeOf({ ...chargeOff('d'), account: 'C' } as Change)).toBe('account_not_found');
  });
});

describe('a network', () => {
  const settle = { op: 'settlement', sub: SUB, currency: 840, owed: 60, roundingMax: 2 } as const;
  const networkFee = { op: 'network_fee', sub: SUB, currency: 840, note: '' } as const;

  test('takes fees and is settled with on its sub-account', () => {
    done({ ...networkFee, amount: 90, reference: 'n1' });
    done({ ...networkFee, amount: -30, reference: 'n2' });
    expect(general()).toEqual({ 5100: 60n, '2100 @': -60n });
    expect(run({ ...settle, amount: 58, reference: 's1' })).toMatchObject({ ok: true, remaining: 0 });
    expect(general()).toEqual({ 5100: 60n, 1300: -58n, 5900: -2n });
    expect(codeOf({ ...settle, amount: 1, reference: 's1' })).toBe('reference_exists');
    expect(codeOf({ ...networkFee, amount: 1, reference: 'n1' })).toBe('reference_exists');
    expect(codeOf({ ...settle, amount: 1, owed: 2 ** 53, reference: 's2' })).toBe('amount_out_of_range');
    expect(codeOf({ ...settle, amount: 0, reference: 's2' })).toBe('amount_out_of_range');
    expect(codeOf({ ...settle, amount: 1, currency: 1, reference: 's2' })).toBe('currency_mismatch');
  });

  test('leaves a difference beyond the limit where it is', () => {
    done({ ...networkFee, amount: 60, reference: 'n1' });
    expect(run({ ...settle, amount: 57, reference: 's1' })).toMatchObject({ ok: true, remaining: 3 });
    expect(general()).toEqual({ 5100: 60n, 1300: -57n, '2100 @': -3n });
  });
});

describe('a dispute', () => {
  /** Sequence of a fee of 400 that was paid: what is disputed. */
  let charged: number;
  beforeEach(() => {
    charged = done(fee(400, 'disputed'));
    done(pay(400, 'paid'));
  });
  const open = (reference = 'd', amount = 400): Change => ({
    ...{ op: 'open_dispute', ...onA, amount, reference, relatedSequence: charged, note: 'not received' },
  });
  const settled = { sub: SUB, currency: BRL, amount: 400, interchange: 4 };
  const step = (sequence: number, name: DisputeStep, more: Partial<StepDispute> = {}): Change => {
    return { op: 'dispute_step', sequence, step: name, note: '', ...(isSettledStep(name) ? { settled } : {}), ...more };
  };

  /** Steps, what is left of the dispute in the account, and in the rest of the book. */
  const lives: [DisputeStep[], Record<number, number>, Record<string, bigint>][] = [
    [[], { 2200: -400, 1200: 400 }, {}],
    [['withdraw'], {}, {}],
    [['lose'], { 1100: 400, 2200: -400 }, {}],
    [['write_off'], { 2200: -400 }, { 5200: 400n }],
    [['chargeback'], { 2200: -400 }, { '2100 @': 396n, 4100: 4n }],
    [['chargeback', 'chargeback_reversal'], { 2200: -400, 1200: 400 }, {}],
    [['chargeback', 'chargeback_reversal', 'withdraw'], {}, {}],
    [['chargeback', 'chargeback_reversal', 'lose'], { 1100: 400, 2200: -400 }, {}],
    [['chargeback', 'win'], { 2200: -400 }, { '2100 @': 396n, 4100: 4n }],
    [['chargeback', 'second_presentment'], { 2200: -400, 1200: 400 }, {}],
    [['chargeback', 'second_presentment', 'lose'], { 1100: 400, 2200: -400 }, {}],
    [['chargeback', 'second_presentment', 'write_off'], { 2200: -400 }, { 5200: 400n }],
  ];
  test.each(lives)('%j', (steps, left, rest) => {
    const sequence = done(open());
    for (const name of steps) {
      const at = done(step(sequence, name));
      expect(event(at)).toMatchObject({ relatedSequence: sequence, reference: `${sequence}`, accountSlot: 0 });
      expect(codeOf(step(sequence, name)), 'a step is taken once').toBe('dispute_step_refused');
    }
    expect(parts()).toEqual(left);
    expect(general()).toEqual({ 1310: 400n, 4300: -400n, ...rest });
    book.restart();
  });

  test('says at its end what it was about, and how much of it the cardholder keeps', () => {
    const ends = (...names: DisputeStep[]): unknown => {
      const sequence = done(open(names.join()));
      const part = { amount: 120, settled: { ...settled, amount: 120 } };
      const steps = names.map((name) => done(step(sequence, name, name === 'second_presentment' ? part : {})));
      for (const at of steps.slice(0, -1)) expect(event(at)).not.toHaveProperty('ended');
      const last = event(steps.at(-1)!);
      return (last as { ended?: unknown }).ended;
    };
    expect(ends('withdraw')).toBeUndefined();
    expect(ends('chargeback', 'second_presentment', 'lose')).toEqual({ posted: charged, kept: 280 });
    charged = done(fee(400, 'second'));
    expect(ends('lose')).toBeUndefined();
    charged = done(fee(400, 'third'));
    expect(ends('chargeback', 'win')).toEqual({ posted: charged, kept: 400 });
    charged = done(fee(400, 'fourth'));
    expect(ends('write_off')).toEqual({ posted: charged, kept: 400 });
  });

  test('takes no step out of its turn', () => {
    const sequence = done(open());
    const refused = (...names: DisputeStep[]): void => {
      for (const name of names) expect(codeOf(step(sequence, name)), name).toBe('dispute_step_refused');
    };
    refused('second_presentment', 'win');
    done(step(sequence, 'chargeback'));
    refused('withdraw', 'lose', 'write_off');
    done(step(sequence, 'second_presentment'));
    refused('chargeback', 'withdraw', 'win');
    done(step(sequence, 'lose'));
    refused('chargeback', 'second_presentment', 'withdraw', 'win', 'write_off');
    expect(codeOf(open())).toBe('reference_exists');
    expect(codeOf(step(1, 'withdraw'))).toBe('entry_not_found');
  });

  test('is settled in full in the currency of the account, and over the FX position in another', () => {
    const sequence = done(open());
    const chargeback = (more: object): Change => step(sequence, 'chargeback', { settled: { ...settled, ...more } });
    expect(codeOf({ op: 'dispute_step', sequence, step: 'chargeback', note: '' })).toBe('amount_out_of_range');
    expect(codeOf(chargeback({ amount: 399 }))).toBe('amount_out_of_range');
    expect(codeOf(chargeback({ interchange: 401 }))).toBe('amount_out_of_range');
    expect(codeOf(chargeback({ currency: 999 }))).toBe('currency_mismatch');
    expect(codeOf(chargeback({ currency: 840, amount: 75 }))).toBe('ok');
    const balances: Record<string, bigint> = {};
    book.state.ledger.forEach((currency, gl, debit, credit) => {
      if (gl === 1500) balances[currency] = debit - credit;
    });
    expect(balances).toEqual({ 840: -75n, [BRL]: 400n });
  });

  test('credits the purchases that are owed first', () => {
    // Nothing but a returned payment of what was paid out makes purchases without a clearing.
    const payment = done(pay(300, 'p'));
    done({ op: 'refund_credit', ...onA, amount: 300, reference: 'r' });
    done({ op: 'return_payment', sequence: payment, fee: 0, note: '' });
    const sequence = done(open());
    expect(parts()).toEqual({ 1200: 400, 2200: -100 });
    done(step(sequence, 'withdraw'));
    expect(parts()).toEqual({ 1100: 300 });
  });

  test('is about no more than was posted, over all disputes of it; what was withdrawn does not count', () => {
    expect(codeOf(open('d', 401))).toBe('amount_out_of_range');
    const first = done(open('d1', 250));
    expect(codeOf(open('d2', 151))).toBe('amount_out_of_range');
    done(open('d2', 150));
    expect(codeOf(open('d3', 1))).toBe('amount_out_of_range');
    done(step(first, 'withdraw'));
    expect(codeOf(open('d3', 251))).toBe('amount_out_of_range');
    done(open('d3', 250));
    // Nothing was posted by the account's own record, by one of another account, or by none.
    for (const relatedSequence of [1, 2, 0, 10_000])
      expect(codeOf({ ...open('d4', 1), relatedSequence } as Change), `${relatedSequence}`).toBe('amount_out_of_range');
  });

  test('goes in parts: what is not charged back is absorbed, what is not presented again is won', () => {
    const part = (amount: number): Partial<StepDispute> => ({
      amount,
      settled: { ...settled, amount, interchange: 0 },
    });
    const won = done(open('d1', 100));
    expect(codeOf(step(won, 'chargeback', part(101)))).toBe('amount_out_of_range');
    expect(codeOf(step(won, 'chargeback', { ...part(0), settled }))).toBe('amount_out_of_range');
    done(step(won, 'chargeback', part(70)));
    expect(parts()).toEqual({ 2200: -100, 1200: 30 });
    done(step(won, 'win'));
    // D 5200 30, C 1200 30.
    expect(parts()).toEqual({ 2200: -100 });
    expect(general()).toMatchObject({ 5200: 30n, '2100 @': 70n });
    const lost = done(open('d2', 300));
    done(step(lost, 'chargeback', part(300)));
    expect(codeOf(step(lost, 'second_presentment', part(301)))).toBe('amount_out_of_range');
    done(step(lost, 'second_presentment', part(120)));
    expect(codeOf(step(lost, 'win')), 'while something of it is presented again').toBe('dispute_step_refused');
    expect(parts()).toEqual({ 2200: -400, 1200: 120 });
    done(step(lost, 'lose'));
    expect(parts()).toEqual({ 2200: -400, 1100: 120 });
    // 70 + 300 - 120 of the network.
    expect(general()).toMatchObject({ 5200: 30n, '2100 @': 250n });
  });

  test('leaves what a conversion made of it on the FX position', () => {
    const dollars = (amount: number) => ({ settled: { ...settled, currency: 840, amount, interchange: 0 } });
    const sequence = done(open());
    done(step(sequence, 'chargeback', dollars(75)));
    done(step(sequence, 'second_presentment', dollars(78)));
    expect(parts()).toEqual({ 2200: -400, 1200: 400 });
    const balances: Record<string, bigint> = {};
    book.state.ledger.forEach((currency, gl, debit, credit) => {
      if (gl === 1500 && debit !== credit) balances[currency] = debit - credit;
    });
    // D 75, C 78: three dollars more went back than came; in reais 400 went out and came in.
    expect(balances).toEqual({ 840: 3n });
  });
});
