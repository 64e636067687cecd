/**
 * Scenarios as tables: one line per thing that happens, then the expected response code and the balances of the account
 * after it, without which a line that can move money fails. Amounts are minor units. Anything after `#` is a comment.
 *
 *   account A limit=100000 cur=986           an account (default BRL)
 *   card    a of=A expiry=2912               a card of it
 *   token   t for=a expiry=2912 status=active        a network token of the card
 *   0100 a purchase 30000 stan=1             | 00 |      0 | 30000 |  70000
 *   0400 a stan=2 rrn=1                      | 00 |      0 |     0 | 100000
 *
 * Messages: MTI, card (`?` = a card we do not know), kind (see `processingCodes`, or DE3 as `pc=200000`), amount, then
 * `key=value`:
 *   stan, rrn, de7, terminal, acquirer, forwarder, cur, bill=<DE6>/<DE51>, exp=YYMM, mcc, country=<DE19>, merchant=<DE42>, mode=<DE22>, cond=<DE25>, fn=<letter>,
 *   net=<DE63>, orig=<DE48.63>, de38=<code or @line>, de95, de90=<mti>/<stan>/<de7>/<acquirer>/<forwarder> ('-' = absent),
 *   link=<number>, date=<business date, YYYY-MM-DD; the day of the clock by default>,
 *   partial, pin, back=<cash part>, hold=<DE48.80>, why=<DE48.84>, file=<DE91>, listing=<DE127>, bad=<field>. Defaults: stan = number of the line, rrn = stan, de7 = the clock, terminal T1, acquirer 12345.
 * `=` behind the response (`00=`) is the stored answer again: nothing was recorded anew.
 *
 * Clearing records: clear <card> ... (clearing-lines.ts says what). Entries on command, `entry` and `trial`: entry-lines.ts. `accrue`: the
 * daily accrual of the day that it is.
 *
 * Other lines: pay <account> <amount> ref=..; limit <account> <amount>; status <account|card|token> <word>; wait
 * <n>h|m|s|d; at <YYYY-MM-DDThh:mm:ss> (the clock, UTC); undelivered <line>; sweep (ends the holds that are
 * due: how many); tries <card> <failed PINs>; controls <account|card> <JSON without spaces, {} takes them away>.
 * Tables of the program other than the defaults, from that line on: program fee=<flat>+<basis points> forbid=<type>,<type>
 *   rest=keep markup=<basis points> partial=no fuel=<amount> short=decline|hold_available least=<minimum> say=<reason>:<DE39>,<reason>:<DE39>
 *   interest=<basis points a year of purchases>/<cash>/<fees> statement=<day of the month>
 *
 * 0500 date=<YYYY-MM-DD> link=1 acquirer=12345 cur=986 76=2 88=500 ...: the totals of an acquirer, compared with ours (00, 95).
 *
 * Questions about what the message on a line left behind, with the answer behind the bar:
 *   hold <line>     | 30 of 50                what remains of what is authorized; none
 *   ends <line>     | 7d                      days from now to the end of its hold
 *   legs <line>     | 1100 +50, 2100 -50      what that message posted; none
 *   kind <line>     | completion              what it is in the life of the authorization
 *   why  <line>     | cardLost                its Reason
 *   code <line>     | 123456                  its approval code; none
 *   is   <card>     | lost                    status of a card
 *   totals <YYYY-MM-DD> link=1 acquirer=12345 cur=986    | debits 2 500, inquiries 1      what is not zero; none
 */
import { describe, expect, test } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import {
  AccountStatus,
  AccountType,
  CardStatus,
  ElementKind,
  EventKind,
  Reason,
  responseCode,
} from '#src/domain/codes.js';
import { fieldsOfTotals, isInBalance } from '#src/domain/compare-totals.js';
import type { ClearingPosted, MessageEvent, PlainEvent } from '#src/domain/events.js';
import { ABSENT, Carried, MessageInput, Text } from '#src/domain/message.js';
import { rootOf } from '#src/domain/originals.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { heldInSuspense } from '#src/domain/suspense.js';
import { TOTAL_AMOUNTS } from '#src/domain/totals.js';
import { TOTAL_VALUES } from '#src/domain/totals-table.js';
import { Book, heldTotal, type Outcome } from '../domain/book.js';
import { answerText, inputOfLine, legsText } from './clearing-lines.js';
import { entriesText, entryCommand, trialText } from './entry-lines.js';

const TOTAL_NAMES = [
  'credits',
  'credit reversals',
  'debits',
  'debit reversals',
  'inquiries',
  'authorizations',
] as const;

const START_MS = Date.UTC(2026, 4, 20, 12, 0, 0);
const UNKNOWN_CARD = [7, 7, 7] as const;

const processingCodes: Record<string, number> = {
  purchase: 0,
  cash: 10_000,
  cashback: 90_000,
  funding: 100_000,
  quasicash: 110_000,
  disbursement: 170_000,
  refund: 200_000,
  credit: 260_000,
  payment: 280_000,
  inquiry: 300_000,
  available: 310_000,
  verify: 380_000,
};
const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export class Scenario {
  book = new Book();
  readonly cards = new Map<string, number>();
  readonly outcomes = new Map<number, Outcome>();
  /** Sequences of clearing records, by line. */
  readonly cleared = new Map<number, number>();
  nowMs = START_MS;
  #lastAccount = '';
  /** First and last record by line; none when the last is before the first. */
  readonly #records = new Map<number, readonly [number, number]>();

  /** Runs one line and returns the code to compare, or undefined for set-up lines. */
  run(words: string[], line: number): string | undefined {
    const first = this.book.history.events.length + 1;
    const code = this.#run(words, line);
    this.#records.set(line, [first, this.book.history.events.length]);
    return code;
  }

  #run(words: string[], line: number): string | undefined {
    const [what = '', ...rest] = words;
    const options = optionsOf(rest);
    if (what === '0500') return this.#compare(options);
    if (/^\d{4}$/.test(what)) return this.#message(what, rest, line);
    const name = rest[0] ?? '';
    switch (what) {
      case 'clear':
        return this.#clear(rest, options, line);
      case 'posts':
        return legsText(this.book.history.readEvent(this.cleared.get(Number(name)) ?? 0) as ClearingPosted);
      case 'account':
        this.#lastAccount = name;
        return this.#command({
          op: 'create_account',
          id: name,
          program: 1,
          currency: Number(options.get('cur') ?? 986),
          creditLimit: Number(options.get('limit') ?? 0),
          type: AccountType.credit,
        });
      case 'card':
        return this.#card(name, options);
      case 'token':
        return this.#token(name, options);
      case 'tries':
        return this.#command({ op: 'update_card', cardSlot: this.cards.get(name)!, pinTries: Number(rest[1]) });
      case 'pay':
        this.#lastAccount = name;
        return this.#command({
          op: 'payment',
          account: name,
          amount: Number(rest[1]),
          currency: Number(options.get('cur') ?? 986),
          reference: options.get('ref') ?? `line ${line}`,
        });
      case 'limit':
        this.#lastAccount = name;
        return this.#command({ op: 'update_account', id: name, creditLimit: Number(rest[1]) });
      case 'controls':
        return this.#controls(name, rest.slice(1).join(' '));
      case 'status':
        return this.#status(name, rest[1] ?? '');
      case 'wait':
        this.nowMs += Number(name.slice(0, -1)) * units[name.slice(-1)]!;
        return 'ok';
      case 'at':
        this.nowMs = Date.parse(`${name}Z`);
        return 'ok';
      case 'sweep':
        return String(this.book.expireDue(this.nowMs));
      case 'program':
        this.book.setPolicy(policyOf(rest, options));
        return 'ok';
      case 'undelivered':
        return this.book.notDelivered(this.#outcome(name).sequence, this.nowMs) ? 'ok' : 'no';
      case 'accrue':
        return this.#accrue();
      case 'resolve':
        return this.#resolve(name, rest[1] ?? '', options);
      case 'entry':
        return entriesText(this.book.history.events.slice(...this.#span(name)) as PlainEvent[]);
      case 'trial':
        return trialText(this.book.state);
      default:
        return this.#entry(what, rest, options) ?? this.#question(what, name, options, line);
    }
  }

  /** Where the records of a line begin and end in the history. */
  #span(line: string): [number, number] {
    const [first, last] = this.#records.get(Number(line)) ?? [0, 0];
    if (last < first || first === 0) throw new Error(`line ${line} recorded nothing`);
    return [first - 1, last];
  }

  /** Takes the record of a line of clearing out of suspense: as a loss, back to the network, or to a card. */
  #resolve(line: string, to: string, options: Map<string, string>): string {
    const sequence = this.cleared.get(Number(line)) ?? 0;
    const event = this.book.history.readEvent(sequence) as ClearingPosted;
    const card = options.get('card');
    if (card === undefined) {
      return this.#command({ op: 'resolve_suspense', sequence, to: to as 'loss', card: '', sub: 0, note: '' });
    }
    const { sort, input } = event;
    return this.#command({
      ...{ op: 'take_from_suspense', cardSlot: this.cards.get(card)!, shard: 0, sequence, sort, input },
      ...{ held: heldInSuspense(event), amount: 0, note: '', dry: false },
    });
  }

  #accrue(): string {
    const result = this.book.accrue(Math.floor(this.nowMs / units.d!), 100, this.nowMs);
    return result.ok ? 'ok' : result.code;
  }

  /** Undefined when the line is no entry on command. */
  #entry(what: string, words: string[], options: Map<string, string>): string | undefined {
    const command = entryCommand(what, words, options, (line) => this.#span(line)[0] + 1);
    if (command === undefined) return undefined;
    if ('account' in command) this.#lastAccount = command.account;
    return this.#command(command);
  }

  #question(what: string, name: string, options: Map<string, string>, line: number): string {
    const { holds, cards } = this.book.state;
    if (what === 'totals') return this.#totals(name, options);
    if (what === 'is') return wordOf(CardStatus, cards.status(this.cards.get(name) ?? -1));
    const { event, approvalCode } = this.#outcome(name);
    const hold = holds.find(rootOf(event));
    switch (what) {
      case 'hold':
        return hold < 0 ? 'none' : `${holds.remaining(hold)} of ${holds.authorized(hold)}`;
      case 'ends':
        return hold < 0 ? 'none' : `${(holds.expiresMs(hold) - this.nowMs) / units.d!}d`;
      case 'legs': {
        const legs = event.postings.toList();
        const shown = legs.map(({ glAccount, amount }) => `${glAccount} ${amount < 0 ? '' : '+'}${amount}`);
        return shown.length === 0 ? 'none' : shown.join(', ');
      }
      case 'kind':
        return wordOf(ElementKind, event.element);
      case 'why':
        return wordOf(Reason, event.reason);
      case 'code':
        return approvalCode === '' ? 'none' : approvalCode;
      default:
        throw new Error(`line ${line}: what is "${what}"?`);
    }
  }

  /** What counts under a date and the key in the options. */
  #counted(date: string, options: Map<string, string>): Float64Array {
    const number = (key: string, otherwise: number): number => Number(options.get(key) ?? otherwise);
    const key = { link: number('link', 1), acquirer: number('acquirer', 12_345), currency: number('cur', 986) };
    const values = new Float64Array(TOTAL_VALUES);
    this.book.state.totals.read({ ...key, day: dayOf(date) }, values);
    return values;
  }

  #compare(options: Map<string, string>): string {
    const ours = fieldsOfTotals([...this.#counted(options.get('date')!, options)]);
    const told = [...options].filter(([key]) => /^\d\d$/.test(key));
    const theirs = told.map(([field, value]) => ({ field: Number(field), value: Number(value) }));
    return isInBalance(theirs, ours) ? '00' : '95';
  }

  #totals(date: string, options: Map<string, string>): string {
    const values = this.#counted(date, options);
    const shown = TOTAL_NAMES.flatMap((name, total) => {
      const [count, amount] = [values[total]!, total < TOTAL_AMOUNTS ? values[TOTAL_NAMES.length + total]! : 0];
      if (count === 0 && amount === 0) return [];
      return [total < TOTAL_AMOUNTS ? `${name} ${count} ${amount}` : `${name} ${count}`];
    });
    return shown.length === 0 ? 'none' : shown.join(', ');
  }

  /** The last line spoke of an account that there is. */
  get hasAccount(): boolean {
    return this.book.state.accounts.find(this.#lastAccount) >= 0;
  }

  /** posted, held, available of the account that the last line spoke of. */
  balances(): [number, number, number] {
    const { accounts } = this.book.state;
    const slot = accounts.find(this.#lastAccount);
    return [accounts.posted(slot), accounts.held(slot), accounts.available(slot)];
  }

  #outcome(line: string): Outcome {
    const outcome = this.outcomes.get(Number(line));
    if (outcome === undefined) throw new Error(`no message on line ${line}`);
    return outcome;
  }

  #command(command: Parameters<Book['command']>[0]): string {
    const result = this.book.command(command, this.nowMs);
    return result.ok ? 'ok' : result.code;
  }

  #card(name: string, options: Map<string, string>): string {
    const account = options.get('of') ?? this.#lastAccount;
    this.#lastAccount = account;
    this.cards.set(name, this.book.state.cards.count);
    return this.#command({
      op: 'create_card',
      account,
      fingerprint: [name.charCodeAt(0), name.length, 99],
      bin: 999999,
      last4: 1234,
      panLength: 16,
      expiry: Number(options.get('expiry') ?? 2912),
      cardSequence: 1,
      serviceCode: 201,
      status: CardStatus[(options.get('status') ?? 'active') as keyof typeof CardStatus],
      replacesSlot: options.has('replaces') ? this.cards.get(options.get('replaces')!)! : -1,
    });
  }

  #token(name: string, options: Map<string, string>): string {
    const card = this.cards.get(options.get('for')!)!;
    this.cards.set(name, this.book.state.cards.count);
    return this.#command({
      op: 'create_alias',
      cardSlot: card,
      fingerprint: [name.charCodeAt(0), name.length, 99],
      bin: 999999,
      last4: 4321,
      panLength: 16,
      expiry: Number(options.get('expiry') ?? 2912),
      status: CardStatus[(options.get('status') ?? 'active') as keyof typeof CardStatus],
    });
  }

  #controls(name: string, text: string): string {
    const controls = text === '{}' ? '' : text;
    const card = this.cards.get(name);
    if (card !== undefined) return this.#command({ op: 'update_card', cardSlot: card, controls });
    this.#lastAccount = name;
    return this.#command({ op: 'update_account', id: name, controls });
  }

  #status(name: string, word: string): string {
    const card = this.cards.get(name);
    if (card !== undefined) {
      return this.#command({ op: 'update_card', cardSlot: card, status: CardStatus[word as keyof typeof CardStatus] });
    }
    this.#lastAccount = name;
    const status = AccountStatus[word as keyof typeof AccountStatus];
    return this.#command({ op: 'update_account', id: name, status });
  }

  #message(mti: string, words: string[], line: number): string {
    const card = words[0] ?? '?';
    const input = this.#input(Number(mti), words.slice(1), line);
    const slot = card === '?' ? -1 : this.cards.get(card);
    if (slot === undefined) throw new Error(`line ${line}: no card ${card}`);
    const { state } = this.book;
    if (slot >= 0) this.#lastAccount = state.accounts.id(state.cards.account(slot));
    const outcome = this.book.message(input, slot, this.nowMs, UNKNOWN_CARD);
    this.outcomes.set(line, outcome);
    return outcome.response + (outcome.repeated ? '=' : '');
  }

  #clear(words: string[], options: Map<string, string>, line: number): string {
    const input = inputOfLine(words, options, line, processingCodes, (of) => this.#outcome(of).approvalCode);
    const name = words[0] ?? '?';
    const card = name === '?' ? -1 : this.cards.get(name)!;
    const { state } = this.book;
    if (card >= 0) this.#lastAccount = state.accounts.id(state.cards.account(card));
    const answer = this.book.clearing(
      options.get('file') ?? 'F1',
      { card, fingerprint: UNKNOWN_CARD, input },
      this.nowMs,
    );
    this.cleared.set(line, answer.sequence);
    return answerText(answer);
  }

  #input(mti: number, words: string[], line: number): MessageInput {
    const input = new MessageInput();
    const options = optionsOf(words);
    const kind = words.find((word) => processingCodes[word] !== undefined);
    const amount = words.find((word) => /^\d+$/.test(word));
    const number = (key: string, otherwise: number): number => Number(options.get(key) ?? otherwise);
    input.mti = mti;
    input.processingCode = options.has('pc') ? number('pc', 0) : kind === undefined ? ABSENT : processingCodes[kind]!;
    input.amount = amount === undefined ? ABSENT : Number(amount);
    input.currency = number('cur', 986);
    const [bill, billCurrency] = (options.get('bill') ?? '').split('/');
    if (bill) input.billingAmount = Number(bill);
    if (billCurrency) input.billingCurrency = Number(billCurrency);
    input.link = number('link', 1);
    const date = options.get('date');
    input.businessDay = date === undefined ? Math.floor(this.nowMs / units.d!) : dayOf(date);
    input.stan = number('stan', line);
    input.transmission = number('de7', transmissionOf(this.nowMs));
    input.localTime = number('de12', ABSENT);
    input.localDate = number('de13', ABSENT);
    input.expiry = number('exp', ABSENT);
    input.mcc = number('mcc', ABSENT);
    input.country = number('country', ABSENT);
    input.entryMode = number('mode', ABSENT);
    input.condition = number('cond', ABSENT);
    input.functionCode = (options.get('fn') ?? '\0').charCodeAt(0);
    if (words.includes('pin')) input.carried |= Carried.pin;
    input.partialSupported = words.includes('partial') ? 1 : 0;
    input.replacementAmount = number('de95', ABSENT);
    input.cashBack = number('back', ABSENT);
    input.adviceReason = (options.get('why') ?? '\0').charCodeAt(0);
    input.fileAction = (options.get('file') ?? '\0').charCodeAt(0);
    input.fileCode = number('listing', ABSENT);
    input.badField = number('bad', 0);
    this.#texts(input, options);
    return input;
  }

  #texts(input: MessageInput, options: Map<string, string>): void {
    input.setText(Text.acquirer, options.get('acquirer') ?? '12345');
    if (options.has('forwarder')) input.setText(Text.forwarder, options.get('forwarder')!);
    const rrn = options.get('rrn') ?? String(input.stan);
    if (rrn !== '-') input.setText(Text.rrn, rrn.padEnd(12));
    input.setText(Text.terminal, (options.get('terminal') ?? 'T1').padEnd(8));
    if (options.has('merchant')) input.setText(Text.acceptor, options.get('merchant')!.padEnd(15));
    if (options.has('net')) input.setText(Text.networkId, options.get('net')!);
    if (options.has('orig')) input.setText(Text.originalNetworkId, options.get('orig')!);
    if (options.has('hold')) input.setText(Text.holdReference, options.get('hold')!);
    const code = options.get('de38');
    if (code?.startsWith('@')) input.setText(Text.approval, this.#outcome(code.slice(1)).approvalCode);
    else if (code) input.setText(Text.approval, code);
    const [mti = '-', stan = '-', de7 = '-', acquirer = '-', forwarder = '-'] = (options.get('de90') ?? '').split('/');
    if (!options.has('de90')) return;
    if (mti !== '-') input.originalMti = Number(mti);
    if (stan !== '-') input.originalStan = Number(stan);
    if (de7 === 'now') input.originalTransmission = transmissionOf(this.nowMs);
    else if (de7.startsWith('@')) input.originalTransmission = this.#outcome(de7.slice(1)).event.input.transmission;
    else if (de7 !== '-') input.originalTransmission = Number(de7);
    if (acquirer !== '-') input.setText(Text.originalAcquirer, acquirer);
    if (forwarder !== '-') input.setText(Text.originalForwarder, forwarder);
  }
}

/** Days since 1970 of a date. */
function dayOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / units.d!;
}

function optionsOf(words: string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at > 0) options.set(word.slice(0, at), word.slice(at + 1));
  }
  return options;
}

/** The default tables of a program, with what a `program` line says instead. */
function policyOf(words: string[], options: Map<string, string>): Policy {
  const { fuel, cashFee, statement, ...tables } = defaultTables;
  const [purchases = '0', cash = '0', fees = '0'] = (options.get('interest') ?? '').split('/');
  const [flat = '0', basisPoints = '0'] = (options.get('fee') ?? '').split('+');
  return new Policy(1, {
    ...tables,
    interest: { purchases: Number(purchases), cash: Number(cash), fees: Number(fees), grace: false },
    statement: { ...statement, day: Number(options.get('statement') ?? statement.day) },
    cashFee: { ...cashFee, flat: Number(flat), basisPoints: Number(basisPoints) },
    responses: [responsesOf(options.get('say'))],
    forbidden: options.get('forbid')?.split(',').map(Number) ?? [],
    partialApproval: !words.includes('partial=no'),
    clearing: { releaseRest: !words.includes('rest=keep'), markupBasisPoints: Number(options.get('markup') ?? 0) },
    fuel: {
      ...fuel,
      amount: Number(options.get('fuel') ?? fuel.amount),
      whenShort: options.get('short') === 'decline' ? 'decline' : 'hold_available',
      minimum: Number(options.get('least') ?? fuel.minimum),
    },
  });
}

/** DE39 by Reason. */
function responsesOf(say = ''): Uint16Array {
  const codes = new Uint16Array(64);
  for (const pair of say.split(',').filter(Boolean)) {
    const [reason, code] = pair.split(':');
    codes[Reason[reason as keyof typeof Reason]] = responseCode(code!);
  }
  return codes;
}

/** Name of a number in one of the tables of codes. */
function wordOf(codes: Readonly<Record<string, number>>, code: number): string {
  return Object.entries(codes).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** DE7 of a time. */
function transmissionOf(timeMs: number): number {
  const at = new Date(timeMs);
  const day = (at.getUTCMonth() + 1) * 100 + at.getUTCDate();
  return day * 1_000_000 + at.getUTCHours() * 10_000 + at.getUTCMinutes() * 100 + at.getUTCSeconds();
}

/** What moves no money: set-up, the clock, questions. Every other line says the balances after it, where an account is known. */
const UNBALANCED = new Set(
  [
    'account card token tries limit controls status program wait at',
    '0500 totals hold ends legs kind why code is posts entry trial',
  ].flatMap((words) => words.split(' ')),
);

/** One scenario: a test that names the line which went wrong. Lines are counted from 1, blank ones and comments too. */
export function scenario(name: string, table: string, after?: (run: Scenario) => void): void {
  test(name, () => {
    const run = new Scenario();
    const lines = table.replace(/^\n/, '').split('\n');
    lines.forEach((raw, index) => {
      const text = raw.replace(/#.*/, '').trim();
      if (text === '') return;
      const line = index + 1;
      const [action = '', ...expected] = text.split('|').map((cell) => cell.trim());
      const code = run.run(action.split(/\s+/), line);
      const [wanted = 'ok', ...balances] = expected;
      const [what = ''] = action.split(/\s+/);
      if (balances.length === 0 && !UNBALANCED.has(what) && run.hasAccount)
        throw new Error(`${line}: ${action}: what are posted, held and available after it?`);
      const actual = { line: `${line}: ${action}`, code, balances: balances.length === 0 ? [] : run.balances() };
      expect(actual).toEqual({ line: `${line}: ${action}`, code: wanted, balances: balances.map(Number) });
      checkBooks(run);
    });
    checkReplay(run);
    after?.(run);
  });
}

/** The records alone give the state again, and what `holdfast verify` asks of it holds. */
function checkReplay({ book }: Scenario): void {
  const fold = new DomainFold(() => undefined);
  for (const event of book.history.events) {
    if (event.kind === EventKind.message) fold.applyMessage(0, event as MessageEvent);
    else fold.applyEvent(0, event as PlainEvent);
  }
  const { high, low } = book.state.digest;
  expect([fold.digest(0).high, fold.digest(0).low]).toEqual([high, low]);
  expect(() => fold.finish(0, book.history.events.length)).not.toThrow();
}

/** After every line: held = open holds = memo balance, debits = credits, no message record without verdicts. */
function checkBooks(run: Scenario): void {
  const { state, history } = run.book;
  let remaining = 0;
  for (let slot = 0; slot < state.holds.slots; slot++) {
    if (state.holds.sequence(slot) !== 0) remaining += state.holds.remaining(slot);
  }
  expect(remaining).toBe(heldTotal(state));
  let difference = 0n;
  let memo = 0n;
  state.ledger.forEach((_currency, glAccount, debit, credit) => {
    difference += debit - credit;
    if (glAccount === 9100) memo += debit - credit;
  });
  expect({ difference, memo }).toEqual({ difference: 0n, memo: BigInt(remaining) });
  const last = history.events.at(-1);
  if (last?.kind === EventKind.message && 'verdictCount' in last) expect(last.verdictCount).toBeGreaterThan(0);
}

export { describe, expect, test };
