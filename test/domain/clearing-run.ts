/**
 * Random messages and clearing records on one account with its cards, and what must hold after each of them.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { IN_SUSPENSE } from '#src/domain/clearing/codes.js';
import type { ClearingAnswer, ClearingEntry, ClearingInput } from '#src/domain/clearing/input.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import { COMPONENTS, Gl, POSTED_COMPONENTS } from '#src/domain/ledger/chart.js';
import { MessageInput, Text } from '#src/domain/message.js';
import type { ShardState } from '#src/domain/shard-state.js';
import { copyInput } from '#src/domain/texts.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book, heldTotal, type Outcome } from './book.js';

const START_MS = Date.UTC(2026, 10, 28, 22, 0, 0);
const DAY_MS = 86_400_000;
const BRL = 986;
const USD = 840;
const CONTROLS = '{"velocity":[{"window":"day","amount":60000,"count":40},{"window":"week","amount":90000}]}';

export type Op =
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
export const operation: fc.Arbitrary<Op> = fc.oneof(
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

/** A message that was sent, as it can be sent again. */
interface Said {
  readonly input: MessageInput;
  readonly slot: number;
  readonly timeMs: number;
  readonly outcome: Pick<Outcome, 'response' | 'approvalCode'>;
}

export class Run {
  readonly book: Book;
  readonly fed: { file: string; entry: ClearingEntry }[] = [];
  /** Messages whose records stand: none that was rolled back. */
  readonly said: Said[] = [];
  nowMs = START_MS;
  #stan = 0;
  /** Slots: two cards of one account, a token of the first, a replacement of the second; and a number that nobody has. */
  readonly slots = [0, 1, 2, 3, -1];
  /** Card of the newest message with a network id. */
  readonly #cardOf = new Map<number, number>();

  constructor(book = new Book()) {
    this.book = book;
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
    const kept = new MessageInput();
    copyInput(input, kept);
    const slot = this.slots[card]!;
    const before = this.book.state.accounts.available(0);
    const { response, approvalCode } = this.book.message(input, slot, this.nowMs, [9, 9, 9]);
    this.said.push({ input: kept, slot, timeMs: this.nowMs, outcome: { response, approvalCode } });
    const after = this.book.state.accounts.available(0);
    // What we approved ourselves is covered; what the network tells us of may not be.
    if (mti === 100 || mti === 200) expect(after >= 0 || after >= before, `${mti} ${response}`).toBe(true);
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
    // Control accounts are the sums over the accounts, and the posted balance is that of its components.
    const detail = new Map<string, bigint>();
    for (let slot = 0; slot < state.accounts.count; slot++) {
      const parts = COMPONENTS.map((_, which) => state.accounts.component(slot, which));
      expect(state.accounts.posted(slot)).toBe(parts.slice(0, POSTED_COMPONENTS).reduce((sum, part) => sum + part, 0));
      for (const [which, glAccount] of COMPONENTS.entries()) {
        const key = `${state.accounts.currency(slot)} ${glAccount}`;
        detail.set(key, (detail.get(key) ?? 0n) + BigInt(parts[which]!));
      }
    }
    for (const [key, sum] of detail) expect([key, sums.get(key) ?? 0n]).toEqual([key, sum]);
  }
}
