import { describe, expect, it } from 'vitest';
import { AccountType, CardStatus, Reason, responseText, Step, Verdict } from '#src/domain/codes.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { MessageInput } from '#src/domain/message.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { parseRule } from '#src/domain/rules/rule.js';
import { RuleSet, type SetRule } from '#src/domain/rules/rule-set.js';
import { ShardState } from '#src/domain/shard-state.js';
import type { Table } from '#src/domain/tables.js';
import { applyRecorded, Book, type Outcome } from './book.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const WINDOWS = ['day', 'other'];

function rule(text: string, state: SetRule['state']): SetRule {
  const read = parseRule(text);
  if (!read.ok) throw new Error(read.error.message);
  return { checked: read.checked, state, counter: 0 };
}

function bookWith(rules: SetRule[]): Book {
  const limits = {
    controls: undefined,
    groups: defaultMccGroups,
    rules: new RuleSet(rules, WINDOWS),
    windows: WINDOWS,
  };
  const book = new Book(new Policy(7, defaultTables, limits));
  book.command(
    { op: 'create_account', id: 'A', program: 3, currency: 986, creditLimit: 100_000, type: AccountType.credit },
    NOW,
  );
  const card = { bin: 999_999, last4: 1, panLength: 16, expiry: 2912, cardSequence: 0, serviceCode: 201 };
  const issued = { ...card, status: CardStatus.active, replacesSlot: -1 };
  book.command({ op: 'create_card', account: 'A', fingerprint: [1, 2, 3], ...issued }, NOW);
  return book;
}

let stan = 0;

function purchase(book: Book, amount: number, mcc = 5411, cardSlot = 0): Outcome {
  const input = new MessageInput();
  input.mti = 100;
  input.processingCode = 0;
  input.amount = amount;
  input.currency = 986;
  input.mcc = mcc;
  input.stan = ++stan;
  input.transmission = 520_120_000;
  return book.message(input, cardSlot, NOW);
}

function verdictOf({ event }: Outcome, step: number): number | undefined {
  for (let i = 0; i < event.verdictCount; i++) if (event.verdicts[i * 2] === step) return event.verdicts[i * 2 + 1];
  return undefined;
}

/** A state that a checkpoint gives back. */
function recovered(state: ShardState): ShardState {
  const copy = new ShardState(0);
  const entries: [Table, number][] = [];
  state.takeDirty(Number.MAX_SAFE_INTEGER, (table, key) => entries.push([table, key]));
  for (const [table, key] of entries) {
    const bytes = new Uint8Array(state.entryBytes(table, key));
    const length = state.writeEntry(table, key, bytes, 0);
    copy.readEntry(table, key, bytes, 0, length);
  }
  return copy;
}

describe('rules in decisions', () => {
  it('an active rule declines with its own code before the funds are asked; shadow rules are only recorded', () => {
    const book = bookWith([
      rule('when amount > 500 then decline 59 reason "too_much"', 'shadow'),
      rule('when mcc == 7995 then decline 57 reason "no_bets"', 'active'),
      rule('when amount > 1000 then decline 61 reason "large"', 'active'),
    ]);
    const fine = purchase(book, 600);
    const bet = purchase(book, 2000, 7995);
    const large = purchase(book, 200_000);
    expect([fine, bet, large].map(({ response }) => response)).toEqual(['00', '57', '61']);
    expect([fine, bet, large].map(({ event }) => event.decidingRule)).toEqual([-1, 1, 2]);
    expect([fine, bet, large].map(({ event }) => [event.rulesAsked, event.ruleBits[0]])).toEqual([
      [3, 0b001],
      [3, 0b111],
      [3, 0b101],
    ]);
    expect([bet.event.reason, bet.event.programRevision]).toEqual([Reason.rule, 7]);
    expect(verdictOf(fine, Step.rules)).toBe(Verdict.pass);
    expect(verdictOf(bet, Step.rules)).toBe(Verdict.fail);
    expect(verdictOf(large, Step.funds)).toBeUndefined();
    expect(book.state.accounts.held(0)).toBe(600);
  });

  it('windows are those of the account that pays, not of the one that paid before', () => {
    const book = bookWith([rule('when count("day") >= 1 then decline 59 reason "again"', 'active')]);
    const velocity = [{ window: 'day', count: 9, name: 'day' }];
    book.command({ op: 'update_account', id: 'A', controls: JSON.stringify({ velocity }) }, NOW);
    const other = { program: 3, currency: 986, creditLimit: 100_000, type: AccountType.credit };
    book.command({ op: 'create_account', id: 'B', ...other }, NOW);
    const card = { bin: 999_999, last4: 2, panLength: 16, expiry: 2912, cardSequence: 0, serviceCode: 201 };
    const issued = { ...card, status: CardStatus.active, replacesSlot: -1 };
    book.command({ op: 'create_card', account: 'B', fingerprint: [4, 5, 6], ...issued }, NOW);
    const responses = [0, 0, 1].map((slot) => purchase(book, 100, 5411, slot).response);
    expect(responses).toEqual(['00', '59', '00']);
  });

  it('statistics are counted by the records: the same in a replay and over a checkpoint', () => {
    const book = bookWith([
      rule('when amount > 500 then decline 59 reason "too_much"', 'shadow'),
      rule('when amount > 1000 then decline 61 reason "large"', 'active'),
    ]);
    for (const amount of [100, 600, 700, 1001]) purchase(book, amount);
    const wanted = [{ revision: 7, asked: 4, matched: [3, 1], declined: [0, 1] }];
    expect(book.state.ruleStats.of(3, 0, 10)).toEqual(wanted);
    expect(book.state.ruleStats.of(3, 6, 10)).toEqual(wanted);
    expect([book.state.ruleStats.of(3, 7, 10), book.state.ruleStats.of(2, 0, 10)]).toEqual([[], []]);
    const replayed = new ShardState(0);
    for (const event of book.history.events) applyRecorded(replayed, event);
    const digest = { high: book.state.digest.high, low: book.state.digest.low };
    expect({ high: replayed.digest.high, low: replayed.digest.low }).toEqual(digest);
    const copy = recovered(book.state);
    for (const event of book.history.events) applyRecorded(copy, event);
    expect(copy.ruleStats.of(3, 0, 10)).toEqual(wanted);
    expect({ high: copy.digest.high, low: copy.digest.low }).toEqual(digest);
  });

  it('read the windows of the card by their names, as they were before the message', () => {
    const book = bookWith([
      rule('when count("day") >= 2 and spent("day") > 250 then decline 65 reason "busy"', 'active'),
    ]);
    const controls = JSON.stringify({ velocity: [{ window: 'day', name: 'day', count: 100 }] });
    book.command({ op: 'update_card', cardSlot: 0, controls }, NOW);
    expect([100, 100, 100, 100].map((amount) => purchase(book, amount).response)).toEqual(['00', '00', '00', '65']);
    const { event } = purchase(book, 1);
    expect([event.cardReadings, event.readings[0], event.readings[1]]).toEqual([1, 300, 3]);
  });

  it('do not know what was spent in a window that counts declines', () => {
    const spent = rule('when spent("day") < 1_00 then decline 61 reason "first"', 'active');
    const book = bookWith([spent, rule('when count("day") >= 1 then decline 65 reason "busy"', 'active')]);
    const controls = JSON.stringify({ velocity: [{ window: 'day', name: 'day', count: 100, counts: 'declines' }] });
    book.command({ op: 'update_card', cardSlot: 0, controls }, NOW);
    expect([100, 100_000, 100].map((amount) => purchase(book, amount).response)).toEqual(['00', '51', '65']);
  });

  it('do not know a window that no controls name', () => {
    const book = bookWith([rule('when count("other") >= 0 then decline 65 reason "busy"', 'active')]);
    expect(purchase(book, 100).response).toBe('00');
    expect(responseText(purchase(book, 100).event.response)).toBe('00');
  });
});
