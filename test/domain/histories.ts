/**
 * Random histories: a list of small operations that speak of earlier messages by counting back, so that a failing history
 * shrinks to a few lines which can be read. `play` drives the engine and the reference model side by side.
 */
import fc from 'fast-check';
import { AccountStatus, AccountType, CardStatus } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import { isRequest } from '#src/domain/decide-reversal.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { Book, type Outcome } from './book.js';
import {
  type Answer,
  type Message,
  MODEL_FEE,
  type ModelAccount,
  type ModelCard,
  ReferenceModel,
} from './reference-model.js';

const START_MS = Date.UTC(2026, 10, 28, 22, 0, 0);

/** Accounts and their cards; `x` and `y` are cards that nobody knows. */
const ACCOUNTS = [
  { id: 'reais', currency: 986, limit: 100_000, cards: ['a', 'b'] },
  { id: 'yen', currency: 392, limit: 5_000, cards: ['c'] },
  { id: 'dinars', currency: 414, limit: 3_000_000_000_000, cards: ['d'] },
] as const;
const CARDS = ['a', 'b', 'c', 'd', 'x', 'y'] as const;
const EXPIRY = 2611;

/** The default tables, with a fee for cash, interest and statements. */
const PROGRAM = new Policy(1, {
  ...defaultTables,
  cashFee: { ...MODEL_FEE, maximum: Number.MAX_SAFE_INTEGER },
  interest: { purchases: 9125, cash: 3650, fees: 1 },
  statement: { ...defaultTables.statement, day: 29, monthlyFee: 7 },
});

type Way =
  | 'hold'
  | 'network'
  | 'de90'
  | 'de90 padded'
  | 'de90 without acquirer'
  | 'rrn'
  | 'rrn and code'
  | 'rrn and lost'
  | 'own'
  | 'nothing';

export type Op =
  | {
      op: 'request';
      card: number;
      mti: number;
      pc: number;
      amount: number;
      currency: number;
      flags: number;
      merchant: number;
    }
  | { op: 'again'; back: number; marked: boolean; change: 'no' | 'amount' | 'bill' | 'zero' | 'de7' | 'terminal' }
  | { op: 'reverse'; back: number; mti: number; way: Way; stays: number }
  | { op: 'change'; back: number; fn: 'I' | 'R'; percent: number; way: Way; flags: number }
  | { op: 'advise'; back: number; mti: number; why: string; percent: number; way: Way; flags: number }
  | { op: 'list'; card: number; file: string; listing: number }
  | { op: 'reverse early'; card: number; amount: number; way: Way; stays: number }
  | { op: 'late original'; back: number }
  | { op: 'undelivered'; back: number }
  | { op: 'pay'; account: number; amount: number; reference: number }
  | { op: 'limit'; account: number; limit: number }
  | { op: 'account'; account: number; status: 'open' | 'frozen' | 'closed' }
  | { op: 'card'; card: number; status: ModelCard['status'] }
  | { op: 'limits'; card: number; amount: number; count: number }
  | { op: 'restart' }
  | { op: 'wait'; minutes: number };

const back = fc.integer({ min: 0, max: 6 });
const way = fc.constantFrom<Way[]>(
  'hold',
  'network',
  'de90',
  'de90 padded',
  'de90 without acquirer',
  'rrn',
  'rrn and code',
  'rrn and lost',
  'own',
  'nothing',
);
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1_000_000, max: 999_999_999_999 }) },
);
/** Share of the amount that stays authorized, in percent; 0 = a full reversal without DE95. */
const stays = fc.constantFrom(0, 0, 0, 1, 33, 50, 99, 100, 150);

export const operation: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record<Op & { op: 'request' }>({
      op: fc.constant('request'),
      card: fc.integer({ min: 0, max: CARDS.length - 1 }),
      mti: fc.constantFrom(100, 100, 200),
      pc: fc.constantFrom(
        0,
        0,
        0,
        10_000,
        170_000,
        300_000,
        310_000,
        380_000,
        200_000,
        90_000,
        260_000,
        110_000,
        500_000,
      ),
      amount,
      currency: fc.integer({ min: 0, max: 5 }),
      flags: fc.integer({ min: 0, max: 255 }),
      merchant: fc.integer({ min: 0, max: 11 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record<Op & { op: 'again' }>({
      op: fc.constant('again'),
      back,
      marked: fc.boolean(),
      change: fc.constantFrom('no', 'no', 'amount', 'bill', 'zero', 'de7', 'terminal'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record<Op & { op: 'reverse' }>({
      op: fc.constant('reverse'),
      back,
      mti: fc.constantFrom(400, 401, 420, 421),
      way,
      stays,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record<Op & { op: 'change' }>({
      op: fc.constant('change'),
      back,
      fn: fc.constantFrom('I', 'I', 'R'),
      percent: fc.constantFrom(1, 20, 50, 100, 130, 300),
      way,
      flags: fc.integer({ min: 0, max: 255 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record<Op & { op: 'advise' }>({
      op: fc.constant('advise'),
      back,
      mti: fc.constantFrom(120, 121, 220),
      why: fc.constantFrom('S', 'C', 'C', 'D', ''),
      percent: fc.constantFrom(0, 1, 50, 100, 100, 120, 1000),
      way,
      flags: fc.integer({ min: 0, max: 255 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record<Op & { op: 'list' }>({
      op: fc.constant('list'),
      card: fc.integer({ min: 0, max: CARDS.length - 1 }),
      file: fc.constantFrom('1', '2', '3', '3', '5'),
      listing: fc.constantFrom(41, 43, 46, 54, 62, 5, 36, 4, 99, -1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record<Op & { op: 'reverse early' }>({
      op: fc.constant('reverse early'),
      card: fc.integer({ min: 0, max: CARDS.length - 1 }),
      amount,
      way,
      stays,
    }),
  },
  { weight: 2, arbitrary: fc.record<Op & { op: 'late original' }>({ op: fc.constant('late original'), back }) },
  { weight: 1, arbitrary: fc.record<Op & { op: 'undelivered' }>({ op: fc.constant('undelivered'), back }) },
  {
    weight: 1,
    arbitrary: fc.record<Op & { op: 'pay' }>({
      op: fc.constant('pay'),
      account: fc.integer({ min: 0, max: 2 }),
      amount: fc.integer({ min: 0, max: 50_000 }),
      reference: fc.integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record<Op & { op: 'limit' }>({
      op: fc.constant('limit'),
      account: fc.integer({ min: 0, max: 2 }),
      limit: fc.integer({ min: 0, max: 200_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record<Op & { op: 'account' }>({
      op: fc.constant('account'),
      account: fc.integer({ min: 0, max: 2 }),
      status: fc.constantFrom('open', 'open', 'frozen', 'closed'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record<Op & { op: 'card' }>({
      op: fc.constant('card'),
      card: fc.integer({ min: 0, max: 3 }),
      status: fc.constantFrom(
        'active',
        'active',
        'active',
        'inactive',
        'paused',
        'lost',
        'stolen',
        'closed',
        'expired',
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record<Op & { op: 'limits' }>({
      op: fc.constant('limits'),
      card: fc.integer({ min: 0, max: 3 }),
      amount: fc.constantFrom(0, 20_000, 60_000, 90_000),
      count: fc.constantFrom(0, 1, 1, 2),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Op>({ op: 'restart' }) },
  {
    weight: 2,
    arbitrary: fc.record<Op & { op: 'wait' }>({
      op: fc.constant('wait'),
      minutes: fc.constantFrom(1, 5, 11, 60, 1441),
    }),
  },
);

const MERCHANTS = [
  { mcc: 5411, mode: 51 },
  { mcc: 5542, mode: 901 },
  { mcc: 7011, mode: 812 },
  { mcc: 3600 },
  { mcc: 3400, condition: 59 },
  { mcc: 5999, mode: 812, condition: 59 },
  { mcc: 5968, mode: 100 },
  { mcc: 5968, mode: 100, condition: 59 },
  { mcc: 5812, mode: 71, fn: 'E' },
  { mcc: 5964, mode: 10, condition: 8 },
  { mode: 10 },
  { condition: 6 },
] as const;

interface Sent {
  card: string;
  message: Message;
  sequence: number;
  code: string;
}

/** Plays a history on both; throws with the transcript at the first difference. */
export class Player {
  readonly book = new Book(PROGRAM);
  readonly model = new ReferenceModel();
  readonly transcript: string[] = [];
  nowMs = START_MS;
  /** Sequences after which the state was compared; for recoveries. */
  readonly #sent: Sent[] = [];
  readonly #unsent: { card: string; message: Message }[] = [];
  readonly #slots = new Map<string, number>();
  #stan = 0;

  constructor() {
    for (const { id, currency, limit, cards } of ACCOUNTS) {
      this.#command({ op: 'create_account', id, program: 1, currency, creditLimit: limit, type: AccountType.credit });
      this.model.createAccount(id, currency, limit, this.nowMs);
      for (const card of cards) {
        this.#slots.set(card, this.book.state.cards.count);
        this.#command({
          op: 'create_card',
          account: id,
          fingerprint: [card.charCodeAt(0), 2, 3],
          bin: 999_999,
          last4: 17,
          panLength: 16,
          expiry: EXPIRY,
          cardSequence: 0,
          serviceCode: 201,
          status: CardStatus.active,
          replacesSlot: -1,
        });
        this.model.createCard(card, id, EXPIRY, this.nowMs);
      }
    }
  }

  play(ops: readonly Op[]): void {
    for (const op of ops) {
      this.nowMs += 1000;
      this.#step(op);
      this.#compare();
    }
  }

  #step(op: Op): void {
    switch (op.op) {
      case 'request':
        this.#send(CARDS[op.card]!, this.#request(op));
        return;
      case 'again':
        this.#again(op);
        return;
      case 'reverse': {
        const sent = this.#back(op.back);
        if (sent) this.#send(sent.card, this.#reversal(sent.message, sent.code, op.mti, op.way, op.stays));
        return;
      }
      case 'change':
      case 'advise': {
        const sent = this.#back(op.back);
        if (sent) this.#send(sent.card, this.#continuation(sent.message, sent.code, op));
        return;
      }
      case 'list': {
        this.#stan++;
        const message: Message = { mti: 302, stan: this.#stan + 100, de7: transmissionOf(this.nowMs), file: op.file };
        if (op.listing >= 0) message.listing = op.listing;
        this.#send(CARDS[op.card]!, message);
        return;
      }
      case 'reverse early': {
        const card = CARDS[op.card]!;
        const message = this.#request({
          card: op.card,
          mti: 100,
          pc: 0,
          amount: op.amount,
          currency: 0,
          flags: 63,
          merchant: 0,
        });
        this.#unsent.push({ card, message });
        this.#send(card, this.#reversal(message, '123456', 420, op.way, op.stays));
        return;
      }
      case 'late original': {
        const late = this.#unsent.at(-1 - op.back);
        if (late) this.#send(late.card, late.message);
        return;
      }
      case 'undelivered': {
        const sent = this.#back(op.back);
        if (!sent) return;
        this.#say(`undelivered ${sent.sequence}`);
        const rolledBack = this.book.notDelivered(sent.sequence, this.nowMs);
        this.#same('rolled back', rolledBack, this.model.notDelivered(sent.sequence, this.nowMs));
        return;
      }
      case 'restart':
        this.#say('restart');
        this.book.restart();
        return;
      case 'limits':
        this.#limits(op);
        return;
      case 'wait':
        this.#say(`wait ${op.minutes} min`);
        this.nowMs += op.minutes * 60_000;
        return;
      default:
        this.#administer(op);
    }
  }

  /** A daily limit of the card, or none. */
  #limits({ card, amount, count }: Op & { op: 'limits' }): void {
    const name = CARDS[card]!;
    const limits = { ...(amount > 0 ? { amount } : {}), ...(count > 0 ? { count } : {}) };
    const isNone = amount === 0 && count === 0;
    this.#say(`limits ${name} ${JSON.stringify(limits)}`);
    const controls = isNone ? '' : JSON.stringify({ velocity: [{ window: 'day', ...limits }] });
    this.#command({ op: 'update_card', cardSlot: this.#slots.get(name)!, controls });
    this.model.setLimits(name, isNone ? undefined : limits, this.nowMs);
  }

  #administer(op: Extract<Op, { op: 'pay' | 'limit' | 'account' | 'card' }>): void {
    this.#say(JSON.stringify(op));
    if (op.op === 'card') {
      const name = CARDS[op.card]!;
      const done = this.#command({
        op: 'update_card',
        cardSlot: this.#slots.get(name)!,
        status: CardStatus[op.status],
      });
      this.#same('done', done, this.model.setCard(name, op.status, this.nowMs));
      return;
    }
    const { id, currency } = ACCOUNTS[op.account]!;
    if (op.op === 'pay') {
      const reference = `payment ${op.reference}`;
      const done = this.#command({ op: 'payment', account: id, amount: op.amount, currency, reference });
      this.#same('done', done, this.model.pay(id, op.amount, reference, this.nowMs));
    } else if (op.op === 'limit') {
      const done = this.#command({ op: 'update_account', id, creditLimit: op.limit });
      this.#same('done', done, this.model.setAccount(id, { limit: op.limit }, this.nowMs));
    } else {
      const done = this.#command({ op: 'update_account', id, status: AccountStatus[op.status] });
      this.#same('done', done, this.model.setAccount(id, { status: op.status }, this.nowMs));
    }
  }

  #again({ back: count, marked, change }: Op & { op: 'again' }): void {
    const sent = this.#back(count);
    if (!sent) return;
    const message = { ...sent.message };
    if (marked) message.mti = message.mti - (message.mti % 10 === 1 ? 1 : 0) + 1;
    if (change === 'amount') message.amount = message.amount === 999_999_999_999 ? 1 : (message.amount ?? 0) + 1;
    if (change === 'bill') message.bill = message.bill === 1 ? 2 : (message.bill || 2) - 1;
    if (change === 'zero' && !message.de95) {
      // A full reversal, said in the other way.
      if (message.de95 === 0) delete message.de95;
      else message.de95 = 0;
    }
    if (change === 'de7') message.de7 = transmissionOf(this.nowMs);
    if (change === 'terminal') message.terminal = 'OTHER';
    this.#send(sent.card, message);
  }

  #request({ card, mti, pc, amount: de4, currency, flags, merchant }: Omit<Op & { op: 'request' }, 'op'>): Message {
    const own = this.model.cards.get(CARDS[card]!)?.account.currency ?? 986;
    const bit = (n: number): boolean => (flags & (1 << n)) !== 0;
    // A small pool of STANs now and then: what collides must still be told apart.
    this.#stan++;
    const message: Message = {
      mti,
      pc,
      amount: de4,
      currency: own,
      stan: bit(7) ? this.#stan % 4 : this.#stan + 100,
      de7: transmissionOf(this.nowMs),
      ...MERCHANTS[merchant]!,
    };
    if (bit(0)) message.rrn = bit(7) ? `R${this.#stan % 3}` : `R${this.#stan}`;
    if (bit(1)) message.terminal = 'T1';
    if (bit(2)) message.acquirer = bit(6) ? '00123' : '123';
    if (bit(3)) message.net = `N${this.#stan}`;
    if (bit(3) && bit(2)) message.hold = `H${this.#stan}`;
    if (pc === 90_000 && bit(1)) message.back = bit(7) && bit(6) ? de4 + 1 : Math.floor(de4 / 3);
    if (bit(4)) message.partial = true;
    if (bit(5)) message.expiry = bit(6) && bit(7) ? 2712 : EXPIRY;
    if (bit(6) && bit(2)) message.forwarder = '9';
    if (currency >= 3) {
      message.currency = 840;
      if (currency >= 4) message.bill = Math.floor(de4 * [0.37, 4.9][currency - 4]!);
      if (message.bill !== undefined) message.bill = Math.min(message.bill, 999_999_999_999);
      message.billCurrency = own;
    }
    return message;
  }

  #reversal(original: Message, code: string, mti: number, by: Way, percent: number): Message {
    this.#stan++;
    const message: Message = { mti, stan: this.#stan + 100, de7: transmissionOf(this.nowMs) };
    if (original.amount !== undefined) message.amount = original.amount;
    if (original.currency !== undefined) message.currency = original.currency;
    if (percent > 0) message.de95 = Math.min(999_999_999_999, Math.floor(((original.amount ?? 0) * percent) / 100));
    return this.#naming(message, original, code, by);
  }

  /** An increment, a replacement or an advice about an earlier message. */
  #continuation(original: Message, code: string, op: Op & { op: 'change' | 'advise' }): Message {
    this.#stan++;
    const { pc, currency, billCurrency, mcc, bill } = original;
    const part = (value: number): number => Math.min(999_999_999_999, Math.floor((value * op.percent) / 100));
    const mti = op.op === 'change' ? 100 : op.mti;
    const message: Message = {
      mti,
      stan: this.#stan + 100,
      de7: transmissionOf(this.nowMs),
      ...defined({ pc, currency, billCurrency, mcc }),
    };
    if (original.amount !== undefined) message.amount = part(original.amount);
    if (bill !== undefined) message.bill = part(bill);
    if (op.op === 'change') message.fn = op.fn;
    else if ((op.flags & 24) === 24) message.fn = 'I';
    if (op.op === 'advise' && op.why !== '') message.why = op.why;
    if (op.op === 'advise' && (op.flags & 1) === 1) message.de38 = String(100_000 + (op.flags % 7));
    if ((op.flags & 2) === 2) message.net = `N${this.#stan}`;
    if ((op.flags & 4) === 4) message.partial = true;
    return this.#naming(message, original, code, op.way);
  }

  /** Names the original in one of the ways. */
  #naming(message: Message, original: Message, code: string, by: Way): Message {
    const { acquirer, forwarder, rrn, terminal, net, stan, de7, hold } = original;
    const de90 = { mti: original.mti, stan, de7 };
    switch (by) {
      case 'hold':
        if (hold !== undefined) message.hold = hold;
        break;
      case 'network':
        if (net !== undefined) message.orig = net;
        break;
      case 'de90':
        message.de90 = { ...de90, ...defined({ acquirer, forwarder }) };
        break;
      case 'de90 padded':
        message.de90 = { ...de90, ...defined({ acquirer: acquirer?.padStart(11, '0'), forwarder }) };
        break;
      case 'de90 without acquirer':
        message.de90 = de90;
        break;
      case 'rrn':
      case 'rrn and code':
        Object.assign(message, defined({ rrn, terminal }));
        if (by === 'rrn and code' && code !== '') message.de38 = code;
        break;
      case 'rrn and lost':
        // DE90 names a message of the same purchase that did not arrive; now and then another class, or with the code.
        Object.assign(message, defined({ rrn, terminal }));
        message.de90 = {
          mti: stan % 5 === 0 ? 220 : original.mti,
          stan: stan + 50_000,
          de7: stan % 3 === 0 ? de7 : de7 + 1,
        };
        if (stan % 4 === 0 && code !== '') message.de38 = code;
        break;
      case 'own':
        Object.assign(message, { stan, de7 }, defined({ acquirer, rrn, terminal }));
        break;
      case 'nothing':
        break;
    }
    return message;
  }

  #send(card: string, message: Message): void {
    this.#say(`${card} ${JSON.stringify(message)}`);
    const slot = this.#slots.get(card) ?? -1;
    const input = toInput(message);
    // Some over another link, some of days that are dropped soon.
    input.link = message.stan % 2;
    input.businessDay = Math.floor(this.nowMs / 86_400_000) - [36, 0, 1, 34, 35, 0, -7, -8][message.stan % 8]!;
    const outcome = this.book.message(input, slot, this.nowMs, [card.charCodeAt(0), 2, 3]);
    const answer = this.model.message(message, card, this.nowMs);
    this.#same('answer', answerOf(outcome), answer);
    if (!outcome.repeated && answer.hasCode) {
      this.model.noteCode(outcome.sequence, Number(outcome.approvalCode));
    }
    this.#sent.push({ card, message, sequence: outcome.sequence, code: outcome.approvalCode });
  }

  #back(count: number): Sent | undefined {
    return this.#sent.at(-1 - count);
  }

  #command(command: Change): boolean {
    return this.book.command(command, this.nowMs).ok;
  }

  #compare(): void {
    const { state } = this.book;
    for (const account of this.model.accounts.values()) {
      const slot = state.accounts.find(account.id);
      this.#same(
        `balances of ${account.id}`,
        {
          posted: state.accounts.posted(slot),
          held: state.accounts.held(slot),
          available: state.accounts.available(slot),
        },
        this.#balances(account),
      );
    }
    this.#same('open holds', state.holds.count, this.model.holds.size);
    for (const [sequence, hold] of this.model.holds) {
      const slot = state.holds.find(sequence);
      const { holds } = state;
      this.#same(
        `hold ${sequence}`,
        [holds.original(slot), holds.authorized(slot), holds.remaining(slot), holds.expiresMs(slot)],
        [hold.first, hold.authorized, hold.remaining, hold.expiresMs],
      );
    }
  }

  #balances(account: ModelAccount): object {
    return {
      posted: this.model.posted(account),
      held: this.model.held(account),
      available: this.model.available(account),
    };
  }

  #say(line: string): void {
    this.transcript.push(`${new Date(this.nowMs).toISOString()} ${line}`);
  }

  #same(what: string, engine: unknown, model: unknown): void {
    const [a, b] = [JSON.stringify(engine), JSON.stringify(model)];
    if (a === b) return;
    throw new Error(`${what}: engine ${a}, model ${b}\n${this.transcript.join('\n')}`);
  }
}

function answerOf({ response, sequence, repeated, approvalCode, facts, event }: Outcome): Answer {
  const hasCode = approvalCode !== '' && isRequest(event.element);
  const answer: Answer = { response, sequence, repeated, hasCode };
  if (facts.partial) answer.partialAmount = facts.partialAmount;
  if (facts.balances) Object.assign(answer, { ledger: facts.ledgerBalance, available: facts.availableBalance });
  return answer;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The fields that have a value. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

export function transmissionOf(timeMs: number): number {
  return Number(new Date(timeMs).toISOString().replace(/\D/g, '').slice(4, 14));
}

export function toInput(message: Message): MessageInput {
  const input = new MessageInput();
  const { de90 } = message;
  input.mti = message.mti;
  input.processingCode = message.pc ?? -1;
  input.amount = message.amount ?? -1;
  input.currency = message.currency ?? -1;
  input.billingAmount = message.bill ?? -1;
  input.billingCurrency = message.billCurrency ?? -1;
  input.stan = message.stan;
  input.transmission = message.de7;
  input.expiry = message.expiry ?? -1;
  input.mcc = message.mcc ?? -1;
  input.entryMode = message.mode ?? -1;
  input.condition = message.condition ?? -1;
  input.functionCode = message.fn?.charCodeAt(0) ?? 0;
  input.partialSupported = message.partial ? 1 : 0;
  input.cashBack = message.back ?? -1;
  input.adviceReason = message.why?.charCodeAt(0) ?? 0;
  input.fileAction = message.file?.charCodeAt(0) ?? 0;
  input.fileCode = message.listing ?? -1;
  input.replacementAmount = message.de95 ?? -1;
  input.originalMti = de90?.mti ?? -1;
  input.originalStan = de90?.stan ?? -1;
  input.originalTransmission = de90?.de7 ?? -1;
  const texts: [Text, string | undefined][] = [
    [Text.acquirer, message.acquirer],
    [Text.forwarder, message.forwarder],
    [Text.rrn, message.rrn?.padEnd(12)],
    [Text.terminal, message.terminal?.padEnd(8)],
    [Text.approval, message.de38],
    [Text.networkId, message.net],
    [Text.originalNetworkId, message.orig],
    [Text.holdReference, message.hold],
    [Text.originalAcquirer, de90?.acquirer],
    [Text.originalForwarder, de90?.forwarder],
  ];
  for (const [which, text] of texts) if (text !== undefined) input.setText(which, text);
  return input;
}
