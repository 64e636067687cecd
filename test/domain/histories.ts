/** Plays histories of operations (operations.ts) on the engine and on the reference model, side by side. */
import { AccountStatus, AccountType, CardStatus } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import { fieldsOfTotals, isInBalance } from '#src/domain/compare-totals.js';
import { isRequest } from '#src/domain/originals.js';
import { TOTAL_VALUES } from '#src/domain/totals-table.js';
import { Book, type Outcome } from './book.js';
import { MessageMaker, toInput, transmissionOf } from './messages.js';
import { ACCOUNTS, CARDS, type Op } from './operations.js';
import type { Answer } from './reference/entry.js';
import type { Message } from './reference/message.js';
import { ReferenceModel } from './reference/model.js';
import type { ModelProgram } from './reference/program.js';
import { RULES } from './reference/rules.js';
import { fieldsOf } from './reference/totals.js';
import { lineOf, Transcript } from './transcript.js';

const START_MS = Date.UTC(2026, 10, 28, 22, 0, 0);

/** The defaults, with a fee for cash, interest and statements. */
const PROGRAM: ModelProgram = {
  tables: {
    fees: { cash: { flat: 100, basis_points: 250 } },
    interest: { purchases: 9125, cash: 3650, fees: 1 },
    statement: { day: 28, monthly_fee: 7 },
  },
  controls: {},
  rules: [],
};

/** Flags of a request (messages.ts): RRN, terminal, acquirer, network id and hold reference, and DE14. */
const NAMED = 0b101111;
/** Of an advice: one of several parts, with a network id of its own. */
const PART = 0b011010;
/** And that a partial approval will do. */
const PARTIAL = 0b010000;

interface Sent {
  /** The number that it carried: of a card, or of a network token. */
  card: string;
  message: Message;
  sequence: number;
  code: string;
}

/** A book that can die: what was not flushed is gone then. */
export interface Mortal {
  /** Commits what was recorded since the last commit. */
  flush(): void;
  /** Ends the process, and starts another on what is durable. */
  kill(): void;
  /** Hands what has changed to the writer of the checkpoint, and has it written. */
  checkpoint(written: boolean): void;
}

/** Plays a history on both; throws with the history as a table at the first difference. */
export class Player {
  readonly book: Book & Partial<Mortal>;
  readonly model = new ReferenceModel(PROGRAM);
  readonly transcript = new Transcript();
  nowMs: number;
  /** When windows stand still: their time, shard time ms. */
  #stoodMs: number | undefined;
  #revision = 0;
  /** The process dies in the next message: behind its commit or before it. */
  #dies: 'behind' | 'before' | undefined;
  readonly #maker = new MessageMaker();
  readonly #sent: Sent[] = [];
  readonly #unsent: { card: string; message: Message }[] = [];
  readonly #slots = new Map<string, number>();
  /** Tokens and replacements, in the order of their issue. */
  readonly #issued: string[] = [];

  constructor(startMs = START_MS, book: Book & Partial<Mortal> = new Book()) {
    this.nowMs = startMs;
    this.book = book;
    this.#setProgram(PROGRAM);
    for (const { id, currency, limit, cards } of ACCOUNTS) {
      this.#command({ op: 'create_account', id, program: 1, currency, creditLimit: limit, type: AccountType.credit });
      this.model.createAccount(id, currency, limit, this.nowMs);
      for (const [card, expiry] of Object.entries(cards)) this.#createCard(card, id, expiry);
    }
  }

  /** The next revision of the program. */
  #setProgram(program: ModelProgram): void {
    this.#revision++;
    const rules = program.rules.map(({ rule, state }, i) => ({
      ...{ id: `rule_${i}`, version: 1, state, text: RULES[rule]!.text },
    }));
    this.book.applyProgram(1, this.#revision, { ...program, rules }, this.nowMs);
    this.model.applyProgram(program, this.nowMs);
  }

  #createCard(card: string, account: string, expiry: number, replaces?: string): boolean {
    const slot = this.book.state.cards.count;
    const done = this.#command({
      op: 'create_card',
      account,
      fingerprint: fingerprintOf(card),
      bin: 999_999,
      last4: 17,
      panLength: 16,
      expiry,
      cardSequence: 0,
      serviceCode: 201,
      status: CardStatus.active,
      replacesSlot: replaces === undefined ? -1 : this.#slots.get(replaces)!,
    });
    this.#same('done', done, this.model.createCard(card, account, expiry, this.nowMs, replaces));
    if (done) this.#slots.set(card, slot);
    return done;
  }

  /** A card that takes the place of another, which goes on until somebody closes it. */
  #replace(op: Op & { op: 'replace' }): void {
    const old = this.model.balances.cardOf(this.#number(op.card));
    const name = `r${this.#issued.length}`;
    this.#say(`card ${name} replaces ${old}`);
    const { account } = this.model.balances.cards.get(old)!;
    if (this.#createCard(name, account.id, 3112, old)) this.#issued.push(name);
  }

  #createToken(op: Op & { op: 'token' }): void {
    const card = this.model.balances.cardOf(this.#number(op.card));
    const name = `t${this.#issued.length}`;
    this.#say(`token ${name} of ${card} until ${op.expiry}`);
    const slot = this.book.state.cards.count;
    const done = this.#command({
      op: 'create_alias',
      cardSlot: this.#slots.get(card)!,
      fingerprint: fingerprintOf(name),
      bin: 999_999,
      last4: 18,
      panLength: 16,
      expiry: op.expiry,
      status: CardStatus.active,
    });
    this.#same('done', done, this.model.createToken(name, card, op.expiry, this.nowMs));
    if (!done) return;
    this.#slots.set(name, slot);
    this.#issued.push(name);
  }

  /** Of a card, or (from 6 on) of a token or a replacement, when there is one. */
  #number(index: number): string {
    if (index < CARDS.length) return CARDS[index]!;
    return this.#issued.at(index - CARDS.length - 4) ?? this.#issued.at(-1) ?? CARDS[index % 4]!;
  }

  /** The number of an earlier message, another one of the same card, or one of a card that replaces it. */
  #numberFor({ card }: Sent, by: 'same' | 'other' | 'replacement' = 'same'): string {
    const { balances, past } = this.model;
    if (by === 'same' || !balances.isKnown(card)) return card;
    if (by === 'replacement') {
      const old = balances.cardOf(card);
      const newer = [...this.#slots.keys()].filter((name) => past.chainOf(balances.cardOf(name)).indexOf(old) > 0);
      return newer.at(-1) ?? card;
    }
    const others = [...this.#slots.keys()].filter(
      (name) => name !== card && balances.cardOf(name) === balances.cardOf(card),
    );
    return others.at(-1) ?? card;
  }

  play(ops: readonly Op[]): void {
    for (const op of ops) {
      this.nowMs += 1000;
      this.#setLag();
      this.#step(op);
      this.#setLag();
      this.#compare();
    }
  }

  /** Windows are behind by as long as they have stood still. */
  #setLag(): void {
    const lag = this.#stoodMs === undefined ? 0 : this.nowMs - this.#stoodMs;
    this.book.windowLagMs = lag;
    this.model.windowLagMs = lag;
  }

  #step(op: Op): void {
    switch (op.op) {
      case 'request':
        this.#send(this.#number(op.card), this.#request(op));
        return;
      case 'purchase':
        this.#send(this.#number(op.card), this.#request({ ...op, currency: 0, flags: NAMED }));
        return;
      case 'fuel': {
        const plain = { mti: 100, pc: 0, currency: 0, flags: NAMED | PARTIAL, merchant: 1 };
        this.#send(this.#number(op.card), this.#request({ ...plain, ...op }));
        return;
      }
      case 'again':
        this.#again(op);
        return;
      case 'reverse': {
        const sent = this.#back(op.back);
        if (sent)
          this.#send(this.#numberFor(sent, op.by), this.#maker.reversal(sent.message, sent.code, op, this.nowMs));
        return;
      }
      case 'change':
      case 'advise': {
        const sent = this.#back(op.back);
        if (sent)
          this.#send(this.#numberFor(sent, op.by), this.#maker.continuation(sent.message, sent.code, op, this.nowMs));
        return;
      }
      case 'ship': {
        const sent = this.#back(op.back);
        if (!sent) return;
        const part = { ...op, op: 'advise', mti: 220, why: 'C', way: 'rrn', flags: PART } as const;
        this.#send(sent.card, this.#maker.continuation(sent.message, sent.code, part, this.nowMs));
        return;
      }
      case 'unship': {
        const sent = this.#sent.filter(({ message }) => message.mti === 220 && message.fn === 'I').at(-1 - op.back);
        if (!sent) return;
        const back = { mti: 420, way: 'network', stays: op.stays } as const;
        this.#send(sent.card, this.#maker.reversal(sent.message, sent.code, back, this.nowMs));
        return;
      }
      case 'list': {
        this.#send(this.#number(op.card), this.#maker.listing(op, this.nowMs));
        return;
      }
      case 'reverse early': {
        const card = CARDS[op.card]!;
        const plain = { mti: 100, pc: 0, currency: 0, flags: NAMED, merchant: 0 };
        const message = this.#request({ ...plain, card: op.card, amount: op.amount });
        this.#unsent.push({ card, message });
        this.#send(card, this.#maker.reversal(message, '123456', { ...op, mti: 420 }, this.nowMs));
        return;
      }
      case 'late original': {
        const late = this.#unsent.at(-1 - op.back);
        if (late) this.#send(late.card, late.message);
        return;
      }
      case 'retry': {
        const sent = this.#back(op.back);
        if (!sent) return;
        const message = this.#maker.again(sent.message, this.nowMs);
        if (!op.reversed) {
          this.#send(sent.card, message);
          return;
        }
        this.#unsent.push({ card: sent.card, message });
        this.nowMs += 1000;
        this.#setLag();
        const whole = { mti: 400, way: 'rrn', stays: 0 } as const;
        this.#send(sent.card, this.#maker.reversal(message, '', whole, this.nowMs));
        return;
      }
      case 'tell': {
        const isPayment = ({ message: { mti } }: Sent): boolean => [100, 200, 120, 220].includes(mti);
        const sent = this.#sent.filter((one) => isPayment(one) && (op.of !== 'sent' || one.message.mti % 100 === 0));
        const told = sent.at(-1 - op.back);
        if (!told) return;
        const { card, message } = told;
        if (op.of === 'sent') this.#send(card, this.#maker.told(message, op.percent));
        else this.#send(card, this.#maker.toldOfLost(message, op.percent, op.of === 'lost first', this.nowMs));
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
      case 'kill':
        this.#dies = op.committed ? 'behind' : 'before';
        return;
      case 'checkpoint':
        this.#say(op.written ? 'checkpoint' : 'checkpoint that is not written');
        this.#mortal().checkpoint(op.written);
        return;
      case 'limits':
        this.#limits(op);
        return;
      case 'refund': {
        const plain = { mti: 200, pc: 200_000, currency: 0, flags: NAMED, merchant: 0 };
        this.#send(this.#number(op.card), this.#request({ ...plain, ...op }));
        return;
      }
      case 'with pin': {
        const plain = { mti: 100, pc: 0, currency: 0, flags: NAMED, merchant: 0 };
        this.#send(this.#number(op.card), { ...this.#request({ ...plain, ...op }), pin: true });
        return;
      }
      case 'tries': {
        const name = this.#number(op.card);
        this.#say(`${op.failed} PINs of ${name} failed`);
        const done = this.#command({ op: 'update_card', cardSlot: this.#slots.get(name)!, pinTries: op.failed });
        this.#same('done', done, this.model.setTries(name, op.failed, this.nowMs));
        return;
      }
      case 'ask':
        this.#ask(op.wrong);
        return;
      case 'program': {
        const { op: _op, ...program } = op;
        this.#say(`program ${JSON.stringify(program)}`);
        this.#setProgram(program);
        return;
      }
      case 'token':
        this.#createToken(op);
        return;
      case 'replace':
        this.#replace(op);
        return;
      case 'controls':
        this.#setControls(op);
        return;
      case 'pause':
        this.#say(`wait ${op.ms} ms`);
        this.nowMs += op.ms;
        return;
      case 'clocks':
        this.#say(op.differ ? 'clocks differ' : 'clocks agree');
        this.#stoodMs = op.differ ? (this.#stoodMs ?? this.nowMs) : undefined;
        return;
      case 'wait':
        this.#say(`wait ${op.minutes} min`);
        this.nowMs += op.minutes * 60_000;
        return;
      case 'sweep': {
        this.nowMs += op.days * 86_400_000;
        this.#say('sweep');
        const ended = this.book.expireDue(this.nowMs);
        this.transcript.answer(`${ended} ended`);
        this.#same('ended', ended, this.model.sweep(this.nowMs));
        return;
      }
      default:
        this.#administer(op);
    }
  }

  /** A daily limit of the card, or none. */
  #limits({ card, amount, count }: Op & { op: 'limits' }): void {
    const limits = { ...(amount > 0 ? { amount } : {}), ...(count > 0 ? { count } : {}) };
    const isNone = amount === 0 && count === 0;
    const controls = isNone ? undefined : { velocity: [{ name: 'day', window: 'day', ...limits } as const] };
    this.#setControls({ op: 'controls', level: 'card', whose: card, controls });
  }

  #setControls({ level, whose, controls }: Op & { op: 'controls' }): void {
    const text = controls === undefined ? '' : JSON.stringify(controls);
    const name = level === 'card' ? CARDS[whose]! : ACCOUNTS[whose]!.id;
    this.#say(`controls ${name} ${text}`);
    if (level === 'card') {
      this.#command({ op: 'update_card', cardSlot: this.#slots.get(name)!, controls: text });
      this.model.setCardControls(name, controls, this.nowMs);
      return;
    }
    const done = this.#command({ op: 'update_account', id: name, controls: text });
    this.#same('done', done, this.model.setAccountControls(name, controls, this.nowMs));
  }

  #administer(op: Extract<Op, { op: 'pay' | 'limit' | 'account' | 'card' }>): void {
    this.#say(JSON.stringify(op));
    if (op.op === 'card') {
      const name = this.#number(op.card);
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

  #again({ back: count, marked, change, by }: Op & { op: 'again' }): void {
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
    this.#send(this.#numberFor(sent, by), message);
  }

  #request(op: Omit<Op & { op: 'request' }, 'op'>): Message {
    const { balances } = this.model;
    const name = this.#number(op.card);
    const account = balances.cards.get(balances.cardOf(name))?.account;
    return this.#maker.request(op, account?.currency, balances.expiryOf(name), this.nowMs);
  }

  #mortal(): Mortal {
    const { flush, kill, checkpoint } = this.book;
    if (!flush || !kill || !checkpoint) throw new Error('this book cannot die');
    return this.book as Book & Mortal;
  }

  /** Sends a message; when the process dies in it the network sends it again. */
  #send(card: string, message: Message): void {
    const dies = this.#dies;
    this.#dies = undefined;
    if (dies === undefined) {
      this.#exchange(card, message);
      return;
    }
    const mortal = this.#mortal();
    // Whatever came before was answered.
    mortal.flush();
    if (dies === 'behind') {
      this.#exchange(card, message);
      mortal.flush();
    } else {
      this.#say(lineOf(card, message));
      this.#decide(card, message);
    }
    this.#say(`the process dies ${dies} the commit, and the message is sent again`);
    mortal.kill();
    this.#exchange(card, message);
  }

  /** What the engine makes of the message, and over which link, on which day it came. */
  #decide(card: string, message: Message): { outcome: Outcome; place: { link: number; day: number } } {
    const slot = this.#slots.get(card) ?? -1;
    const input = toInput(message);
    // Some over another link, some of days that are dropped soon.
    const daysAgo = [36, 0, 1, 34, 35, 0, -7, -8][message.stan % 8]!;
    const place = { link: message.stan % 2, day: Math.floor(this.nowMs / 86_400_000) - daysAgo };
    input.link = place.link;
    input.businessDay = place.day;
    return { outcome: this.book.message(input, slot, this.nowMs, fingerprintOf(card)), place };
  }

  /** One message and its answer, on both sides. */
  #exchange(card: string, message: Message): void {
    this.#say(lineOf(card, message));
    const { outcome, place } = this.#decide(card, message);
    this.transcript.answer(`${outcome.response} ${outcome.approvalCode} #${outcome.sequence}`);
    const answer = this.model.message(message, card, this.nowMs, place);
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

  /** Balances, holds and what windows hold. */
  #compare(): void {
    const { state } = this.book;
    const { balances } = this.model;
    const shown: string[] = [];
    for (const account of balances.accounts.values()) {
      const slot = state.accounts.find(account.id);
      const [posted, held] = [state.accounts.posted(slot), state.accounts.held(slot)];
      if (posted !== 0 || held !== 0) shown.push(`${account.id} owes ${posted}, held ${held}`);
      this.#same(
        `balances of ${account.id}`,
        { posted, held, available: state.accounts.available(slot) },
        { posted: balances.posted(account), held: balances.held(account), available: balances.available(account) },
      );
    }
    this.transcript.balances(shown.join('; '));
    this.#same('open holds', state.holds.count, balances.holds.size);
    for (const [sequence, hold] of balances.holds) {
      const slot = state.holds.find(sequence);
      const { holds } = state;
      this.#same(
        `hold ${sequence}`,
        [holds.original(slot), holds.authorized(slot), holds.remaining(slot), holds.expiresMs(slot)],
        [hold.first, hold.authorized, hold.remaining, hold.expiresMs],
      );
    }
    for (const card of balances.cards.keys()) this.#compareWindows(card);
    this.#same('statistics of rules', state.ruleStats.of(1, 0, 1000), [...this.model.ruleStatistics.values()]);
  }

  /** Every row of totals, asked for as a 0500 does: in balance, and with one field that is wrong. */
  #ask(wrong: number): void {
    this.#say('ask for totals');
    for (const [row, sums] of this.model.totals(this.nowMs)) {
      const [link, acquirer, day, currency] = row.split(' ').map(Number);
      const values = new Float64Array(TOTAL_VALUES);
      this.book.state.totals.read({ link: link!, acquirer: acquirer!, day: day!, currency: currency! }, values);
      const ours = fieldsOfTotals([...values]);
      const theirs = fieldsOf(sums).map(([field, value]) => ({ field, value }));
      const ofOurs = ours.filter(({ field }) => theirs.some((one) => one.field === field));
      this.#same(`totals of ${row}`, ofOurs, theirs);
      const other = theirs.map(({ field, value }, i) => ({ field, value: i === wrong ? value + 1 : value }));
      this.#same(`balance of ${row}`, [isInBalance(theirs, ours), isInBalance(other, ours)], [true, false]);
      for (const { field, value } of theirs) if (value !== 0) this.model.reach(`DE${field}`);
    }
  }

  #compareWindows(card: string): void {
    const { windows } = this.model.limits;
    const number = this.model.limits.number(card);
    const windowMs = this.nowMs - this.model.windowLagMs;
    const levels = this.book.limits.ofCard(this.#slots.get(card)!, windowMs);
    const found = levels.flatMap(({ level, windows: views }) =>
      views.map(({ source, index, cash, amount, count }) => [
        LEVELS[level],
        LEVELS[source],
        index,
        cash,
        amount,
        count,
      ]),
    );
    const placed = windows.windowsOf(number);
    const expected = (['card', 'account'] as const).flatMap((level) =>
      placed
        .filter((one) => one.level === level)
        .map((one) => {
          const { amount, count } = windows.value(number, one, windowMs);
          return [level, one.source, one.index, one.cash, amount, count];
        }),
    );
    this.#same(`windows of ${card}`, found, expected);
  }

  #say(line: string): void {
    this.transcript.say(this.nowMs, line);
  }

  #same(what: string, engine: unknown, model: unknown): void {
    const [a, b] = [JSON.stringify(engine), JSON.stringify(model)];
    if (a !== b) throw new Error(`${what}: engine ${a}, model ${b}\n${this.transcript}`);
  }
}

/** Names of levels of controls. */
const LEVELS = ['', 'program', 'account', 'card'] as const;

const fingerprintOf = (name: string): [number, number, number] => [name.charCodeAt(0), Number(name.slice(1)) + 2, 3];

function answerOf({ response, sequence, repeated, approvalCode, facts, event }: Outcome): Answer {
  const hasCode = approvalCode !== '' && isRequest(event.element);
  const answer: Answer = { response, sequence, repeated, hasCode };
  if (facts.partial) answer.partialAmount = facts.partialAmount;
  if (facts.balances) Object.assign(answer, { ledger: facts.ledgerBalance, available: facts.availableBalance });
  return answer;
}
