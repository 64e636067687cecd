/**
 * What the client knows: every message it sent, every answer it got, and what follows from them for each account. The
 * answers are taken at their word; whether the server still keeps it after a crash is what the tests ask.
 *
 * A message without an answer is open: it may have happened or not. Its repeat (xxx1) settles that, whichever it was.
 */
import { DEMO_CREDIT_LIMIT, DEMO_EXPIRY, demoAccount, demoPan } from '#src/cli/demo-program.js';
import type { Fields } from '#src/iso8583/message.js';
import type { Random } from './random.js';

export interface Answer {
  /** DE39. */
  readonly code: string;
  /** DE38, '' without. */
  readonly approval: string;
  /** DE4 of the reply, minor units. */
  readonly amount: number;
}

export interface Operation {
  readonly id: number;
  /** Demo card. */
  readonly card: number;
  readonly fields: Fields;
  /** Minor units asked for; of a reversal: what stays authorized (0 = full). */
  readonly amount: number;
  /** The purchase that a reversal reverses. */
  readonly original: Operation | undefined;
  answer: Answer | undefined;
  /** Messages of this operation on their way. */
  pending: number;
  /** Of an approved purchase: what its hold still holds. */
  remaining: number;
  /** Of a purchase: the reversal sent for it. */
  reversal: Operation | undefined;
}

const APPROVED = '00';
const PARTIAL = '10';
const SHED = '91';
const UNDONE = '68';

const mmdd = (time: Date): string => time.toISOString().replace(/\D/g, '').slice(4, 14);

export class Book {
  readonly operations: Operation[] = [];
  readonly held = new Map<number, number>();
  /** Acknowledged operations that can be repeated, in the order of their answers. */
  readonly acknowledged: Operation[] = [];
  /** Approved purchases without a reversal. */
  readonly #reversible: Operation[] = [];
  /** Approval codes by card: two approvals of one card never share one. */
  readonly #codes = new Map<number, Map<string, Operation>>();
  readonly contradictions: string[] = [];
  readonly answers = new Map<string, number>();
  repeats = 0;
  shed = 0;
  /** Set while work may be turned away: 91 to a repeat says nothing then, as it says nothing to a first message. */
  mayShed = false;
  readonly #random: Random;
  readonly cards: readonly number[];
  readonly #number: number;

  /** @param number of the book, 0 to 6: books of one server have cards and references of their own. */
  constructor(random: Random, cards: number, number = 0) {
    this.#random = random;
    this.#number = number;
    this.cards = Array.from({ length: cards }, (_, i) => i * 7 + 1 + number);
    for (const card of this.cards) this.held.set(card, 0);
  }

  account(card: number): string {
    return demoAccount(card);
  }

  /** The next message of the load: mostly purchases, some reversals in full or in part. */
  next(): Operation {
    if (this.#reversible.length > 0 && this.#random.chance(0.3)) {
      const at = this.#random.int(0, this.#reversible.length - 1);
      // A repeat that is on its way on another connection may be overtaken: then both answers would be right.
      if (this.#reversible[at]!.pending === 0) return this.#reversalOf(at);
    }
    const amount = this.#random.chance(0.05) ? this.#random.int(100_000, 700_000) : this.#random.int(1, 9_000);
    return this.purchase(this.#random.pick(this.cards), amount, this.#random.chance(0.3));
  }

  purchase(card: number, amount: number, partial = false): Operation {
    return this.#add(card, amount, undefined, {
      0: '0100',
      3: '000000',
      4: String(amount).padStart(12, '0'),
      14: DEMO_EXPIRY,
      18: '5411',
      22: '051',
      49: '986',
      ...(partial ? { 48: '61011' } : {}),
    });
  }

  #reversalOf(at: number): Operation {
    const original = this.#reversible[at]!;
    this.#reversible[at] = this.#reversible.at(-1)!;
    this.#reversible.pop();
    const keep = this.#random.chance(0.3) ? this.#random.int(1, Math.max(1, original.remaining)) : 0;
    const { fields } = original;
    const parts = `0100${fields[11]}${fields[7]}${String(fields[32]).padStart(11, '0')}${'0'.repeat(11)}`;
    const reversal = this.#add(original.card, keep, original, {
      0: '0400',
      3: '000000',
      4: fields[4]!,
      49: '986',
      90: parts,
      ...(keep > 0 ? { 95: String(keep).padStart(12, '0') + '0'.repeat(30) } : {}),
    });
    original.reversal = reversal;
    return reversal;
  }

  #add(card: number, amount: number, original: Operation | undefined, fields: Fields): Operation {
    const id = this.operations.length + 1;
    const now = mmdd(new Date());
    const operation: Operation = {
      id,
      card,
      amount,
      original,
      fields: {
        ...fields,
        2: demoPan(card),
        7: now,
        11: String(id % 1_000_000).padStart(6, '0'),
        12: now.slice(4),
        13: now.slice(0, 4),
        32: '999901',
        37: original === undefined ? `${'CDEFGHI'[this.#number]}${String(id).padStart(11, '0')}` : original.fields[37]!,
        41: 'CRASH001',
        42: 'HOLDFAST CRASH ',
      },
      answer: undefined,
      pending: 0,
      remaining: 0,
      reversal: undefined,
    };
    this.operations.push(operation);
    return operation;
  }

  repeatFields(operation: Operation): Fields {
    return { ...operation.fields, 0: `${operation.fields['0']!.slice(0, 3)}1` };
  }

  /** Operations without an answer, in the order in which they were sent. */
  open(): Operation[] {
    return this.operations.filter((one) => one.answer === undefined);
  }

  /** An acknowledged operation whose repeat has one right answer now; undefined when there is none yet. */
  repeatable(): Operation | undefined {
    if (this.acknowledged.length === 0) return undefined;
    const one = this.#random.pick(this.acknowledged);
    // While its reversal is on the way, a purchase may be answered either way.
    return one.reversal !== undefined && one.reversal.answer === undefined ? undefined : one;
  }

  /** Takes a reply in. The first answer of an operation counts; every later one must agree with it. */
  take(reply: Fields): Operation {
    const operation = this.operations[Number(reply[11]) - 1];
    if (operation === undefined) throw new Error(`a reply to nothing that was sent: STAN ${reply[11]}`);
    operation.pending--;
    const answer: Answer = { code: reply[39]!, approval: reply[38] ?? '', amount: Number(reply[4]) };
    const wanted = operation.original === undefined ? '0110' : '0410';
    if (reply[0] !== wanted) this.#contradict(operation, `answered by ${reply[0]}`);
    if (operation.answer === undefined) this.#first(operation, answer);
    else this.#again(operation, answer);
    return operation;
  }

  #first(operation: Operation, answer: Answer): void {
    this.answers.set(answer.code, (this.answers.get(answer.code) ?? 0) + 1);
    if (answer.code === SHED) {
      this.shed++;
      // A shed purchase has no effect, and its repeat would be a new one. A shed reversal is undecided: it stays open.
      if (operation.original === undefined) operation.answer = answer;
      return;
    }
    operation.answer = answer;
    this.acknowledged.push(operation);
    if (operation.original !== undefined) this.#reversed(operation, operation.original);
    else this.#purchased(operation, answer);
  }

  #purchased(operation: Operation, { code, approval, amount }: Answer): void {
    if (code === '51') return;
    if (code !== APPROVED && code !== PARTIAL) {
      this.#contradict(operation, `a purchase was answered ${code}`);
      return;
    }
    if (code === APPROVED ? amount !== operation.amount : amount >= operation.amount || amount <= 0)
      this.#contradict(operation, `${code} with ${amount} of ${operation.amount}`);
    const codes = this.#codes.get(operation.card) ?? new Map<string, Operation>();
    this.#codes.set(operation.card, codes);
    const other = codes.get(approval);
    if (approval === '' || other !== undefined)
      this.#contradict(operation, `approval code "${approval}" was given to ${other?.id} before`);
    codes.set(approval, operation);
    operation.remaining = amount;
    this.#reversible.push(operation);
    const held = this.held.get(operation.card)! + amount;
    this.held.set(operation.card, held);
  }

  #reversed(operation: Operation, original: Operation): void {
    if (operation.answer!.code !== APPROVED) {
      this.#contradict(operation, `a reversal was answered ${operation.answer!.code}`);
      return;
    }
    const kept = Math.min(original.remaining, operation.amount);
    this.held.set(operation.card, this.held.get(operation.card)! - (original.remaining - kept));
    original.remaining = kept;
  }

  #again(operation: Operation, answer: Answer): void {
    if (answer.code === SHED && this.mayShed) {
      this.shed++;
      return;
    }
    this.repeats++;
    const first = operation.answer!;
    const undone =
      operation.original === undefined &&
      (first.code === APPROVED || first.code === PARTIAL) &&
      operation.reversal?.answer !== undefined &&
      operation.reversal.amount === 0;
    if (undone) {
      if (answer.code !== UNDONE)
        this.#contradict(operation, `reversed in full, its repeat was answered ${answer.code}`);
      return;
    }
    if (answer.code !== first.code || answer.approval !== first.approval || answer.amount !== first.amount)
      this.#contradict(operation, `was answered ${JSON.stringify(first)}, then ${JSON.stringify(answer)}`);
  }

  #contradict(operation: Operation, what: string): void {
    this.contradictions.push(`operation ${operation.id} (card ${operation.card}): ${what}`);
  }

  /** No message is on its way any more: the connections are gone. */
  disconnected(): void {
    for (const operation of this.operations) operation.pending = 0;
  }

  /** What the account must show, minor units. Only while nothing is open. */
  balances(card: number): { posted: number; held: number; available: number } {
    const held = this.held.get(card)!;
    return { posted: 0, held, available: DEMO_CREDIT_LIMIT - held };
  }
}
