/**
 * Random interleavings of messages and clearing records. Whatever comes: held is the sum of the holds and the memo balance,
 * every currency balances, a record moves the account by its amount and the network by what is settled, the same records again
 * do nothing, and the state comes back from the records and from rows of a checkpoint of any age.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IN_SUSPENSE } from '#src/domain/clearing/codes.js';
import type { ClearingAnswer, ClearingEntry, ClearingInput } from '#src/domain/clearing/input.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import { COMPONENTS, Gl } from '#src/domain/ledger/chart.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { ShardState } from '#src/domain/shard-state.js';
import type { Table } from '#src/domain/tables.js';
import { DUPLICATE_WINDOW_MS } from '#src/limits.js';
import { clearingInput } from '../table/clearing-lines.js';
import { applyRecorded, Book, heldTotal } from './book.js';

const START_MS = Date.UTC(2026, 10, 28, 22, 0, 0);
const DAY_MS = 86_400_000;
const BRL = 986;
const USD = 840;
const CONTROLS = '{"velocity":[{"window":"day","amount":60000,"count":40},{"window":"week","amount":90000}]}';

type Op =
  | { op: 'authorize'; card: number; amount: number; mti: number; type: number; net: number }
  | { op: 'increment'; net: number; amount: number }
  | { op: 'reverse'; net: number; stays: number }
  | { op: 'complete'; net: number; amount: number; mti: number }
  | { op: 'undelivered'; back: number }
  | {
      op: 'clear';
      card: number;
      net: number;
      amount: number;
      type: number;
      arn: number;
      marks: number;
      foreign: boolean;
    }
  | { op: 'again'; back: number }
  | { op: 'wait'; hours: number }
  | { op: 'restart' };

const card = fc.integer({ min: 0, max: 4 });
const net = fc.integer({ min: 0, max: 3 });
const amount = fc.integer({ min: 1, max: 8000 });
const type = fc.constantFrom(0, 0, 0, 1, 20);
const operation: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('authorize'),
      card,
      amount,
      mti: fc.constantFrom(100, 100, 100, 200, 120),
      type,
      net,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('increment'), net, amount }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('reverse'), net, stays: fc.constantFrom(0, 0, 1, 5000) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('complete'), net, amount, mti: fc.constantFrom(120, 220) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('undelivered'), back: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      ...{
        op: fc.constant('clear'),
        card: fc.integer({ min: 0, max: 14 }),
        net,
        amount,
        type,
        arn: fc.integer({ min: 0, max: 9 }),
      },
      ...{ marks: fc.integer({ min: 0, max: 15 }), foreign: fc.boolean() },
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('again'), back: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('wait'), hours: fc.constantFrom(1, 30, 24 * 8) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart') }) },
) as fc.Arbitrary<Op>;

/** Balances of the chart by `currency account`, D positive. */
function balances(state: ShardState): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  state.ledger.forEach((currency, glAccount, debit, credit) => {
    const key = `${currency} ${glAccount}`;
    sums.set(key, (sums.get(key) ?? 0n) + debit - credit);
  });
  return sums;
}

class Run {
  readonly book = new Book();
  readonly fed: { file: string; entry: ClearingEntry }[] = [];
  nowMs = START_MS;
  #stan = 0;
  /** Slots: two cards of one account, a token of the first, a replacement of the second; and a number that nobody has. */
  readonly slots = [0, 1, 2, 3, -1];
  /** Card of the newest message with a network id. */
  readonly #cardOf = new Map<number, number>();

  constructor() {
    const command = (one: Parameters<Book['command']>[0]): void => {
      expect(this.book.command(one, this.nowMs)).toMatchObject({ ok: true });
    };
    const numbers = { bin: 999999, last4: 1, panLength: 16, expiry: 2912 };
    const of = { account: 'A', ...numbers, cardSequence: 1, serviceCode: 201, status: CardStatus.active };
    command({
      ...{ op: 'create_account', id: 'A', program: 1, currency: BRL, creditLimit: 100_000, type: AccountType.credit },
      controls: CONTROLS,
    });
    command({ op: 'create_card', fingerprint: [1, 1, 1], ...of, replacesSlot: -1 });
    command({ op: 'create_card', fingerprint: [2, 2, 2], ...of, replacesSlot: -1 });
    command({ op: 'create_alias', cardSlot: 0, fingerprint: [3, 3, 3], ...numbers, status: CardStatus.active });
    command({ op: 'create_card', fingerprint: [4, 4, 4], ...of, replacesSlot: 1 });
  }

  play(op: Op): void {
    this.nowMs += 1000;
    switch (op.op) {
      case 'authorize':
        this.#cardOf.set(op.net, op.card);
        this.#message(op.card, op.mti, op.type, op.amount, (input) => input.setText(Text.networkId, `N${op.net}`));
        return;
      case 'increment':
        this.#about(op.net, 100, op.amount, (input) => {
          input.functionCode = 'I'.charCodeAt(0);
        });
        return;
      case 'reverse':
        this.#about(op.net, 400, 0, (input) => {
          if (op.stays > 0) input.replacementAmount = op.stays;
        });
        return;
      case 'complete':
        this.#about(op.net, op.mti, op.amount, (input) => {
          input.adviceReason = 'C'.charCodeAt(0);
        });
        return;
      case 'undelivered': {
        const sequence = this.book.history.events.length - op.back;
        if (sequence > 0) this.book.notDelivered(sequence, this.nowMs);
        return;
      }
      case 'clear':
        this.#clear(op);
        return;
      case 'again': {
        const again = this.fed.at(-1 - op.back);
        if (again !== undefined) this.feed(again.file, again.entry);
        return;
      }
      case 'wait':
        this.nowMs += op.hours * 3_600_000;
        this.book.expireDue(this.nowMs);
        return;
      case 'restart':
        this.book.restart();
    }
  }

  #about(net: number, mti: number, amount: number, more: (input: MessageInput) => void): void {
    const card = this.#cardOf.get(net);
    if (card === undefined) return;
    this.#message(card, mti, 0, amount, (input) => {
      input.setText(Text.originalNetworkId, `N${net}`);
      more(input);
    });
  }

  #message(card: number, mti: number, type: number, amount: number, more: (input: MessageInput) => void): void {
    const input = new MessageInput();
    const at = new Date(this.nowMs);
    Object.assign(input, { mti, processingCode: type * 10_000, amount, currency: BRL, stan: ++this.#stan, link: 1 });
    input.transmission =
      ((at.getUTCMonth() + 1) * 100 + at.getUTCDate()) * 1_000_000 +
      at.getUTCHours() * 10_000 +
      at.getUTCMinutes() * 100 +
      at.getUTCSeconds();
    input.businessDay = Math.floor(this.nowMs / DAY_MS);
    input.setText(Text.acquirer, '12345');
    input.setText(Text.rrn, String(this.#stan).padStart(12, '0'));
    input.setText(Text.terminal, 'T1');
    input.setText(Text.acceptor, 'M1');
    more(input);
    this.book.message(input, this.slots[card]!, this.nowMs, [9, 9, 9]);
  }

  /** Mostly of the card that the network id belongs to. */
  #clear({ card: wanted, net, amount, type, arn, marks, foreign }: Extract<Op, { op: 'clear' }>): void {
    const card = wanted < 5 ? wanted : (this.#cardOf.get(net) ?? 0);
    const settled = foreign ? { settlementAmount: Math.ceil(amount / 5), settlementCurrency: USD } : {};
    const input: ClearingInput = clearingInput({
      ...{
        record: this.fed.length + 1,
        processingCode: type * 10_000,
        amount,
        billingAmount: amount,
        billingCurrency: BRL,
      },
      ...settled,
      networkId: marks < 12 ? `N${net}` : '',
      acceptor: 'M1',
      arn: arn === 0 ? '' : `ARN${arn}`,
      partial: marks & 1,
      reversal: (marks & 6) === 6 ? 1 : 0,
      fees: (marks & 2) === 0 ? [] : [{ amount: 7, currency: foreign ? USD : BRL, sign: 0 }],
    });
    this.feed('F1', { card: this.slots[card]!, fingerprint: card === 4 ? [9, 9, 9] : [0, 0, 0], input });
  }

  /** Feeds a record and holds its effect against its amounts. */
  feed(file: string, entry: ClearingEntry): ClearingAnswer {
    const { state } = this.book;
    const before = { posted: state.accounts.posted(0), held: state.accounts.held(0), books: balances(state) };
    const answer = this.book.clearing(file, entry, this.nowMs);
    if (answer.outcome === 'posted') this.fed.push({ file, entry });
    const { input } = entry;
    const isPosted = answer.outcome === 'posted';
    const direction = (input.processingCode === 200_000 ? -1 : 1) * (input.reversal === 1 ? -1 : 1);
    const isOurs = isPosted && (answer.flags & IN_SUSPENSE) === 0;
    expect(state.accounts.posted(0) - before.posted).toBe(isOurs ? direction * input.billingAmount : 0);
    expect(state.accounts.held(0)).toBeLessThanOrEqual(before.held);
    // What is owed to the network: the settlement, less the interchange that is ours.
    const currency = input.settlementCurrency > 0 ? input.settlementCurrency : input.billingCurrency;
    const settled = input.settlementCurrency > 0 ? input.settlementAmount : input.billingAmount;
    const isEarned = input.processingCode === 0 ? input.reversal === 0 : input.reversal === 1;
    const interchange = input.fees.reduce((sum, fee) => sum + (isEarned ? fee.amount : 0 - fee.amount), 0);
    const key = `${currency} ${Gl.network}`;
    const moved = (balances(state).get(key) ?? 0n) - (before.books.get(key) ?? 0n);
    expect(moved).toBe(isPosted ? BigInt(interchange - direction * settled) : 0n);
    return answer;
  }

  /** What must hold at any time. */
  check(): void {
    const { state } = this.book;
    let remaining = 0;
    for (let slot = 0; slot < state.holds.slots; slot++) {
      if (state.holds.sequence(slot) === 0) continue;
      expect(state.holds.cleared(slot)).toBeGreaterThanOrEqual(0);
      remaining += state.holds.remaining(slot);
    }
    expect(remaining).toBe(heldTotal(state));
    const sums = balances(state);
    const perCurrency = new Map<string, bigint>();
    for (const [key, sum] of sums) {
      const [currency = ''] = key.split(' ');
      perCurrency.set(currency, (perCurrency.get(currency) ?? 0n) + sum);
    }
    for (const sum of perCurrency.values()) expect(sum).toBe(0n);
    expect(sums.get(`${BRL} ${Gl.holds}`) ?? 0n).toBe(BigInt(remaining));
    COMPONENTS.forEach((glAccount, which) => {
      expect(sums.get(`${BRL} ${glAccount}`) ?? 0n).toBe(BigInt(state.accounts.component(0, which)));
    });
  }
}

const numRuns = 100;

test('any interleaving keeps the books, and the same records again change nothing', () => {
  let posted = 0;
  let matched = 0;
  fc.assert(
    fc.property(fc.array(operation, { minLength: 25, maxLength: 60, size: 'max' }), (ops) => {
      const run = new Run();
      for (const op of ops) {
        run.play(op);
        run.check();
      }
      const { book } = run;
      posted += run.fed.length;
      const { high, low } = book.state.digest;
      const records = book.history.events.length;
      for (const { file, entry } of [...run.fed]) {
        const answer = run.feed(file, entry);
        expect(answer.outcome).toBe('already');
        if (answer.rung > 0) matched++;
        // From another file it is the same thing, where the network says what it is.
        if (entry.input.arn !== '') expect(run.feed('F2', entry).outcome).toBe('duplicate');
      }
      expect(book.history.events.length).toBe(records);
      expect([book.state.digest.high, book.state.digest.low]).toEqual([high, low]);
      book.restart();
    }),
    { numRuns },
  );
  // The histories are worth something: on average several records post, and many of them belong to an authorization.
  expect(posted).toBeGreaterThan(numRuns * 3);
  expect(matched).toBeGreaterThan(numRuns);
});

test('rows of a checkpoint of any age and the records since give the same state', () => {
  const plan = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 30, maxLength: 30 });
  fc.assert(
    fc.property(fc.array(operation, { minLength: 10, maxLength: 40, size: 'max' }), plan, (ops, turns) => {
      const run = new Run();
      for (const op of ops) run.play(op);
      const live = smallBlocks();
      const rows = new Map<string, { table: Table; key: number; bytes: Uint8Array }>();
      let replayFrom = 1;
      let passAt = 0;
      for (const [index, event] of run.book.history.events.entries()) {
        applyRecorded(live, event);
        if (passAt === 0) {
          live.startPass();
          passAt = event.sequence;
        }
        live.takeDirty(turns[index % turns.length]!, (table, key) => {
          const target = new Uint8Array(live.entryBytes(table, key));
          const length = live.writeEntry(table, key, target, 0);
          rows.set(`${table} ${key}`, { table, key, bytes: target.slice(0, length) });
        });
        if (!live.passDone) continue;
        replayFrom = passAt + 1;
        passAt = 0;
      }
      const back = smallBlocks();
      for (const { table, key, bytes } of rows.values()) back.readEntry(table, key, bytes, 0, bytes.length);
      for (const event of run.book.history.events) if (event.sequence >= replayFrom) applyRecorded(back, event);
      expect([back.digest.high, back.digest.low]).toEqual([live.digest.high, live.digest.low]);
    }),
    { numRuns: 60 },
  );
});

const smallBlocks = (): ShardState => new ShardState(0, DUPLICATE_WINDOW_MS, undefined, 1);
