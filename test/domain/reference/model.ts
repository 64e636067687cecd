/**
 * The rules once more, as plainly as possible: objects, Maps, linear searches over everything that ever happened, bigint
 * where a product could be large. It shares no code with the engine, and it is far too slow to be one. The property test
 * drives both with the same random histories and compares every answer and every balance.
 *
 * Approval codes are the engine's choice: the model says whether there is one, takes note of it, and the test checks that
 * it is unique.
 */
import type { ControlsJson } from '../velocity-model.js';
import { Balances, reducedBy } from './balances.js';
import {
  type Answer,
  approved,
  approves,
  asNew,
  type Charged,
  type Entry,
  isNoChange,
  isRequest,
  type ModelAccount,
  type ModelCard,
  type ModelToken,
  NOTHING,
  netOf,
} from './entry.js';
import { type Asked, Limits, NO_MONEY, reasonOf } from './limits.js';
import {
  classOf,
  impossibleField,
  isCredit,
  isFinancial,
  isMalformed,
  isStandIn,
  lacksCashBack,
  type Message,
  typeOf,
  type What,
  whatIs,
} from './message.js';
import { cashOf, inAccountCurrency, inMerchantCurrency, oneMajorUnit } from './money.js';
import { isByRrnAlone, isNamedExactly, type Named, sharesRrn } from './naming.js';
import { inAcquirers, isChangeOfUnknown, isSentLater, Past, type Word } from './past.js';
import { codeOf, feeOf, forbids, fuelOf, groupsOf, isPump, lifeMs, type ModelProgram } from './program.js';
import { askRules, RULES, type RuleFacts, type RuleStatistics, windowNamed } from './rules.js';
import { type Place, totals } from './totals.js';

/** A message at its place: what every entry about it has. */
interface Base {
  atMs: number;
  what: What;
  message: Message;
  card: string;
  token: ModelToken | undefined;
  program: ModelProgram;
  place: Place;
}

/** Why a request is declined: the name of the reason, and the DE39 that it has unless the program says otherwise. */
type Refusal = [reason: string, code: string];

const FINAL = ['lost', 'stolen', 'closed'];

export class ReferenceModel {
  program: ModelProgram;
  readonly balances = new Balances();
  readonly limits = new Limits();
  readonly past = new Past();
  /** How often histories reached a case worth naming. */
  readonly seen = new Map<string, number>();
  /** By revision, as far as they were asked. */
  readonly ruleStatistics = new Map<number, RuleStatistics>();
  /** How far behind the given time velocity windows count, ms: while the clocks differ they stand still. */
  windowLagMs = 0;
  /** What a rule declined whose text the model does not know: its place among the rules, and its code. Only auditors tell it. */
  toldRule: { place: number; code: string } | undefined;
  #revision = 0;
  readonly #references = new Set<string>();
  /** Cards that have a replacement. */
  readonly #replaced = new Set<string>();

  constructor(program: ModelProgram) {
    this.program = program;
  }

  /** Takes note of the approval code that the engine gave. */
  noteCode(sequence: number, code: number): void {
    this.past.log[sequence - 1]!.code = String(code).padStart(6, '0');
  }

  /** Ledger entries that the model does not decide were recorded; what they did to accounts is told to it. */
  entered(records: number, atMs: number): void {
    for (let i = 0; i < records; i++) this.past.add({ atMs });
  }

  // ---- commands ----

  applyProgram(program: ModelProgram, atMs: number): void {
    this.program = program;
    this.#revision++;
    this.limits.windows.program = program.controls;
    this.limits.windows.groups = groupsOf(program.tables);
    this.past.add({ atMs });
  }

  createAccount(id: string, currency: number, limit: number, atMs: number): void {
    const owes = { purchases: 0, cash: 0, fees: 0, interest: 0, credit: 0 };
    this.balances.accounts.set(id, { id, currency, limit, status: 'open', owes });
    this.limits.addAccount(id);
    this.past.add({ atMs });
  }

  createCard(name: string, account: string, expiry: number, atMs: number, replaces?: string): boolean {
    const owner = this.balances.accounts.get(account)!;
    if (owner.status === 'closed') return false;
    if (replaces !== undefined) {
      if (this.#replaced.has(replaces)) {
        this.reach('a second replacement of one card');
        return false;
      }
      this.#replaced.add(replaces);
      this.past.replaces.set(name, replaces);
    }
    this.balances.cards.set(name, { account: owner, status: 'active', expiry, createdMs: atMs, failedPins: 0 });
    this.past.add({ atMs });
    if (this.limits.addCard(name, account, replaces)) this.past.add({ atMs });
    return true;
  }

  createToken(name: string, card: string, expiry: number, atMs: number): boolean {
    if (FINAL.includes(this.balances.cards.get(card)!.status)) return false;
    this.balances.tokens.set(name, { card, status: 'active', expiry });
    this.past.add({ atMs });
    return true;
  }

  /** Of a card or a token. */
  setCard(name: string, status: ModelCard['status'], atMs: number): boolean {
    const card = this.balances.tokens.get(name) ?? this.balances.cards.get(name)!;
    if (FINAL.includes(card.status) && card.status !== status) return false;
    card.status = status;
    if (card.listed && status !== 'active') this.reach('a status beside a listing');
    this.past.add({ atMs });
    return true;
  }

  /** A token has the PIN of its card: its own cannot be set. */
  setTries(name: string, failed: number, atMs: number): boolean {
    const card = this.balances.cards.get(name);
    if (card === undefined) return false;
    if (card.failedPins > failed) this.reach('a card is unblocked');
    card.failedPins = failed;
    this.past.add({ atMs });
    return true;
  }

  setCardControls(name: string, controls: ControlsJson | undefined, atMs: number): void {
    if (this.limits.setCardControls(name, controls)) this.past.add({ atMs });
  }

  setAccount(id: string, change: { status?: ModelAccount['status']; limit?: number }, atMs: number): boolean {
    const account = this.balances.accounts.get(id)!;
    if (account.status === 'closed') return false;
    Object.assign(account, change);
    this.past.add({ atMs });
    return true;
  }

  setAccountControls(id: string, controls: ControlsJson | undefined, atMs: number): boolean {
    if (!this.setAccount(id, {}, atMs)) return false;
    if (this.limits.setAccountControls(id, controls)) this.past.add({ atMs });
    return true;
  }

  pay(id: string, amount: number, reference: string, atMs: number): boolean {
    const unique = `${id} ${reference}`;
    if (amount < 1 || this.#references.has(unique)) return false;
    this.#references.add(unique);
    this.balances.pay(this.balances.accounts.get(id)!, amount);
    this.past.add({ atMs });
    return true;
  }

  /** The reply of an approval could not be sent: it is rolled back, of an increment what it added. */
  notDelivered(sequence: number, atMs: number): boolean {
    const { past, balances } = this;
    const entry = past.log[sequence - 1]!;
    if (!entry.message || !isRequest(entry.what) || !approves(entry.response)) return false;
    if (past.isRolledBack(entry)) return false;
    const root = entry.original ?? entry;
    const hold = balances.holds.get(root.sequence);
    const { account } = balances.cards.get(entry.card)!;
    const { total, cash, cashOfParts } = past.totalOf(root, account, { undelivered: entry });
    if (hold && total > hold.authorized) this.reach('a roll-back of a replacement that had lowered');
    if (hold) balances.set(root.sequence, entry.posted ? 0 : total);
    const ended: Partial<Entry> = {};
    if (entry.posted) {
      const stands = past.totalOf(root, account, { undelivered: entry, money: inAcquirers(root, account) }).total;
      const before = balances.chargedFor(root);
      const charged = Math.abs(netOf(before));
      const left = Math.min(charged, total);
      Object.assign(ended, { charges: [charged, left], counts: { stands } });
      const isDebit = before.credit === 0 && before.purchases >= 0;
      if (charged > 0 && isDebit && !balances.kept.has(root.sequence)) {
        const leftCash = Math.min(before.cash, cash, left);
        balances.charge(entry, this.#changedTo(before, left, leftCash, cashOfParts));
      } else this.#takeBack(entry, before, left);
    }
    if (total > 0 && !entry.original) this.reach('a roll-back of what the network has told');
    if (past.isExpired(root)) this.reach('roll-back after expiry');
    past.add({ atMs, what: 'roll-back', card: entry.card, original: entry, ...ended });
    this.#recount(root, entry, true);
    return true;
  }

  /** The sweep: every hold whose life is over ends, in the order of their ends; what was cleared of it stays. Gives how many. */
  sweep(atMs: number): number {
    const { holds } = this.balances;
    const due = [...holds].filter(([, hold]) => hold.expiresMs <= atMs);
    due.sort(([a, { expiresMs: endOfA }], [b, { expiresMs: endOfB }]) => endOfA - endOfB || a - b);
    for (const [sequence] of due) this.expire(sequence, atMs);
    return due.length;
  }

  /** The hold of the authorization at `sequence` ends: what remains of it is released. */
  expire(sequence: number, atMs: number): void {
    const hold = this.balances.holds.get(sequence)!;
    const root = this.past.log[sequence - 1]!;
    this.reach(hold.refund ? 'expiry of a refund' : hold.cleared > 0 ? 'expiry of a rest' : 'expiry');
    this.balances.close(sequence);
    const ended = this.past.add({ atMs, what: 'expiry', card: root.card, original: root });
    this.#recount(root, ended);
  }

  /** Rows of totals of acquirers (totals.ts). */
  totals(atMs: number): ReturnType<typeof totals> {
    return totals(this.past.log, this.balances.cards, atMs);
  }

  // ---- messages ----

  /** @param number of a card or a token, or one that nobody knows */
  message(m: Message, number: string, atMs: number, place: Place): Answer {
    const card = this.balances.cardOf(number);
    const answer = this.#decide(m, card, this.balances.tokens.get(number), atMs, place);
    const entry = this.past.log[answer.sequence - 1]!;
    if (!answer.repeated && this.balances.cards.has(card)) this.#recount(entry.original ?? entry, entry);
    return answer;
  }

  #decide(m: Message, name: string, token: ModelToken | undefined, atMs: number, place: Place): Answer {
    const { past } = this;
    const card = this.balances.cards.get(name);
    const what = whatIs(m);
    const base: Base = { atMs, what, message: m, card: name, token, program: this.program, place };

    // 1 format, message type
    if (isMalformed(m, what, card?.account.currency)) {
      const impossible = impossibleField(m);
      if (impossible !== undefined) this.reach(`${impossible} that cannot be, class ${classOf(m.mti)}`);
      return this.#answer(past.add({ ...base, what: 'not understood', response: '30' }));
    }
    if (what === 'not understood' && card && forbids(this.program, typeOf(m))) {
      this.reach('a type that is served nowhere, forbidden');
      return this.#answer(
        past.add({ ...base, response: codeOf(this.program, 'transaction_type_forbidden', '57', m.dialect) }),
      );
    }
    if (what === 'not understood') return this.#answer(past.add({ ...base, response: '12' }));

    // 2 duplicate
    const { isKnown, stored } = past.repeated(m, name, atMs);
    if (isKnown) {
      if (stored === undefined) return this.#answer(past.add({ ...base, response: '94', refusedRepeat: true }));
      if (past.isGone(stored, what)) return this.#answer(past.add({ ...base, response: '68', refusedRepeat: true }));
      if (past.isExpired(stored.original ?? stored)) this.reach('repeat after expiry');
      if (token !== stored.token) this.reach('repeat by another number');
      return { ...this.#answer(stored), repeated: true };
    }
    if (what === 'reversal') return this.#answer(this.#reverse(m, base));
    if (what === 'file update') return this.#answer(this.#list(m, token ?? card, base));

    // 3 tombstone
    const reversedBefore = past.reversedBefore(m, name, atMs);
    const late = reversedBefore ? { reversedBefore } : {};
    if (reversedBefore && past.sharesRrn(m, name)) this.reach('a second attempt behind its reversal');
    if (what === 'advice') {
      if (reversedBefore || card === undefined) return this.#answer(past.add({ ...base, ...late, response: '00' }));
      return this.#answer(this.#advise(m, card.account, base));
    }
    if (reversedBefore) return this.#answer(past.add({ ...base, ...late, response: '68' }));
    const continued = what === 'increment' || what === 'replacement' ? this.#openOf(m, base) : undefined;
    if (card === undefined) return this.#answer(past.add({ ...base, what: asNew(what), response: '14' }));
    const behind = continued === undefined ? this.#reversalBefore(m, what, base) : undefined;
    if (behind) {
      this.reach('an increment behind the reversal of its authorization');
      return this.#answer(past.add({ ...base, reversedBefore: behind, response: '68' }));
    }
    if (continued === undefined && lacksCashBack(m, asNew(what))) {
      this.reach('an increment of nothing that does not tell its cash back');
      return this.#answer(past.add({ ...base, what: 'not understood', response: '30' }));
    }

    // 4 card and account, 6 controls, 8 funds, 9 approval
    const links = continued === undefined ? { what: asNew(what) } : { original: continued };
    const request: Base & { original?: Entry } = { ...base, ...links };
    const asked = this.#asked(m, request.what, card.account, continued);
    const refusal =
      refusalOf(card, token, m, atMs) ??
      this.#pinRefused(m, request, card) ??
      this.#limited(m, request, asked) ??
      this.#ruled(m, request, card) ??
      this.#approve(m, request, card.account);
    if (!Array.isArray(refusal)) return this.#answer(refusal);
    const [reason, code] = refusal;
    this.reach(reason);
    if (reason !== 'velocity_declines') this.limits.countDecline(name, m, asked, this.#windowTime(atMs));
    const response = codeOf(this.program, reason, code, m.dialect);
    if (response !== code) this.reach('another DE39 for a reason');
    return this.#answer(past.add({ ...request, response }));
  }

  /** What the request asks for: of a fuel pump's check what it is granted, of an increment what comes on top. */
  #asked(m: Message, what: What, account: ModelAccount, continued: Entry | undefined): Asked {
    if (!['debit', 'increment', 'replacement'].includes(what)) return NO_MONEY;
    const wanted = inAccountCurrency(m, account);
    if (continued === undefined) return { amount: this.#amountFor(m, wanted), cash: cashOf(m, account) };
    const { authorized } = this.balances.holds.get(continued.sequence)!;
    const amount = what === 'increment' ? wanted : Math.max(0, wanted - authorized);
    const authorizedBefore = what === 'increment' ? authorized : wanted - amount;
    return { amount, cash: Math.min(this.#moreCash(m, continued, account), amount), authorizedBefore };
  }

  #isStatusCheck(m: Message): boolean {
    if (isFinancial(m) || typeOf(m) !== 0 || !isPump(this.program, m)) return false;
    return m.amount === fuelOf(this.program).check * oneMajorUnit(m.currency!);
  }

  #amountFor(m: Message, wanted: number): number {
    return this.#isStatusCheck(m) ? fuelOf(this.program).amount || wanted : wanted;
  }

  /** 5 of cryptography, the tries that are left. */
  #pinRefused(m: Message, { token }: Base, card: ModelCard): Refusal | undefined {
    if (!m.pin) return undefined;
    const isBlocked = card.failedPins >= (this.program.tables.pin?.tries ?? 3);
    this.reach(`a PIN ${isBlocked ? 'too many' : 'that may be tried'}${token ? ' by a token' : ''}`);
    return isBlocked ? ['pin_tries_exceeded', '75'] : undefined;
  }

  /** 6 controls: types that the program forbids, then lists and limits. */
  #limited(m: Message, { card, atMs }: Base, asked: Asked): Refusal | undefined {
    if (forbids(this.program, typeOf(m))) return ['transaction_type_forbidden', '57'];
    const found = this.limits.refusal(card, m, asked, this.#windowTime(atMs));
    if (found) {
      const [level, , pointer] = found.control.split(' ');
      this.reach(`${found.response} ${pointer!.replace(/\d+$/, found.byDeclines ? 'declines' : 'n')}`);
      this.reach(`refused by controls of the ${level}`);
      if (this.windowLagMs > 0) this.reach('a refusal while the clocks differ');
      if (pointer!.startsWith('/mcc/') && this.program.tables.mcc_groups)
        this.reach('a category by groups of the program');
      if (found.control.includes(' program ')) this.reach('a refusal by the defaults of the program');
      const isOwn = this.past.log.some((e) => e.card === card && e.approved > 0);
      if (level === 'card' && found.before > 0 && !isOwn) this.reach('a limit that a replaced card used up');
    }
    return found && [reasonOf(found), found.response];
  }

  /** 7 rules. */
  #ruled(m: Message, { card: name, atMs }: Base, card: ModelCard): Refusal | undefined {
    const { rules } = this.program;
    if (rules.length === 0) return undefined;
    const nothing = rules.map(() => 0);
    const statistics = this.ruleStatistics.get(this.#revision) ?? {
      ...{ revision: this.#revision, asked: 0, matched: nothing, declined: [...nothing] },
    };
    this.ruleStatistics.set(this.#revision, statistics);
    const { windows } = this.limits;
    const number = this.limits.number(name);
    const read = (window: string, what: 'amount' | 'count'): number | undefined => {
      const placed = windowNamed(windows, number, window);
      if (placed === undefined || (what === 'amount' && placed.window.counts === 'declines')) return undefined;
      return windows.value(number, placed, this.#windowTime(atMs))[what];
    };
    const { account } = card;
    const facts: RuleFacts = {
      ...{ m, atMs, account, card, held: this.balances.held(account), available: this.balances.available(account) },
      count: (window) => read(window, 'count'),
      spent: (window) => read(window, 'amount'),
    };
    const code = askRules(rules, facts, statistics, this.toldRule);
    rules.forEach(({ rule, state }) => {
      if (RULES[rule]?.matches(facts)) this.reach(`${state} rule ${rule}`);
    });
    return code === undefined ? undefined : ['rule', code];
  }

  /** 8 and 9: what is approved, or why nothing is. */
  #approve(m: Message, base: Base & { original?: Entry }, account: ModelAccount): Entry | Refusal {
    const { past, balances } = this;
    switch (base.what) {
      case 'verification':
        return past.add({ ...base, response: '85' });
      case 'inquiry': {
        const shown = { ledger: 0 - balances.posted(account), available: balances.available(account) };
        return past.add({ ...base, response: '00', balances: shown });
      }
      case 'credit':
        return this.#credit(m, base, account);
      case 'debit':
        return this.#debit(m, base, account);
      default:
        return this.#change(m, base, base.original!, account);
    }
  }

  /** A 0200 posts the credit, a 0100 announces it: nothing is held, but it ends like a hold. */
  #credit(m: Message, base: Base, account: ModelAccount): Entry {
    const wanted = inAccountCurrency(m, account);
    const posted = isFinancial(m);
    const entry = this.past.add({ ...base, response: '00', approved: wanted, posted });
    if (typeOf(m) === 28) this.reach('a payment to the card');
    if (posted) this.balances.charge(entry, this.balances.creditOf(entry, account, wanted));
    else this.balances.open(entry.sequence, account, wanted, base.atMs + lifeMs(this.program, m), true);
    return entry;
  }

  /** An increment or a replacement: all of it or nothing. */
  #change(m: Message, base: Base, root: Entry, account: ModelAccount): Entry | Refusal {
    const hold = this.balances.holds.get(root.sequence)!;
    const wanted = inAccountCurrency(m, account);
    const total = Math.max(hold.cleared, base.what === 'increment' ? hold.authorized + wanted : wanted);
    const added = total - hold.authorized;
    if (added > Math.max(0, this.balances.available(account))) return ['insufficient_funds', '51'];
    this.balances.set(root.sequence, total);
    hold.expiresMs = base.atMs + lifeMs(this.program, root.message!);
    if (root.program !== this.program) this.reach('an increment under another program than its authorization');
    return this.past.add({ ...base, response: '00', approved: wanted, added, original: root });
  }

  #debit(m: Message, base: Base, account: ModelAccount): Entry | Refusal {
    const { program, balances } = this;
    const posted = isFinancial(m);
    const amount = this.#amountFor(m, inAccountCurrency(m, account));
    const cash = cashOf(m, account);
    const fee = posted ? feeOf(program, cash) : 0;
    const free = balances.available(account);
    const isPartial = free < amount + fee && !this.#isStatusCheck(m);
    const approved = free >= amount + fee ? amount : this.#part(m, account, amount, cash, free);
    if (approved === 0) return ['insufficient_funds', '51'];
    if (this.#isStatusCheck(m)) this.reach(`a fuel pump that is granted ${fuelOf(program).amount}`);
    if (fee > 0 && program.tables.fees?.cash.flat === 500) this.reach('a fee of another program');
    const entry = this.past.add({ ...base, response: isPartial ? '10' : '00', approved, posted });
    if (typeOf(m) === 10) this.reach('account funding');
    if (!posted) balances.open(entry.sequence, account, approved, base.atMs + lifeMs(program, m));
    // No cash back, and so no fee for it, is paid with a partial approval.
    else if (isPartial) balances.charge(entry, { ...NOTHING, purchases: approved });
    else balances.charge(entry, { ...NOTHING, purchases: approved - cash, cash, fee });
    return entry;
  }

  /** What can be approved of an amount that is more than what is available; 0 for nothing. */
  #part(m: Message, account: ModelAccount, amount: number, cash: number, free: number): number {
    if (this.#isStatusCheck(m)) {
      const { least, declinesWhenShort } = fuelOf(this.program);
      if (declinesWhenShort || free < least) this.reach('a fuel pump that is declined when short');
      return declinesWhenShort || free < least ? 0 : Math.min(amount, free);
    }
    const isDivisible = typeOf(m) === 0 || (typeOf(m) === 9 && m.back !== undefined);
    if (this.program.tables.partial_approval === false && m.partial && isDivisible) this.reach('no partial approval');
    if (this.program.tables.partial_approval === false || !m.partial || !isDivisible) return 0;
    const part = Math.max(0, Math.min(free, amount - cash));
    return part > 0 && inMerchantCurrency(m, account, part) === 0 ? 0 : part;
  }

  /** The authorization with an open hold that an increment names. */
  #openOf(m: Message, { card, atMs }: Base): Entry | undefined {
    const named = this.past.namedBy(m, card, atMs, true, this.balances);
    if (named === undefined || !approved(named)) return undefined;
    const root = named.original ?? named;
    const hold = this.balances.holds.get(root.sequence);
    if (root.card !== card) this.reach('increment by a replacement');
    if (hold === undefined && this.past.isExpired(root)) this.reach('increment after expiry');
    return hold === undefined || hold.refund ? undefined : root;
  }

  /** All of what it belongs to was reversed by what was sent behind it. */
  #reversalBefore(m: Message, what: What, { card, atMs }: Base): Entry | undefined {
    if (what !== 'increment' && what !== 'replacement') return undefined;
    const named = this.past.namedBy(m, card, atMs, true, this.balances);
    const root = named?.original ?? named;
    const reversal = root && !this.balances.holds.has(root.sequence) ? this.past.reversalOf(root) : undefined;
    return reversal && !isSentLater(m, reversal.message!) ? reversal : undefined;
  }

  /** The network has decided. */
  #advise(m: Message, account: ModelAccount, base: Base): Entry {
    const { past, balances } = this;
    const found = past.namedBy(m, base.card, base.atMs, true, balances);
    // A credit is no completion of a purchase, nor the other way round.
    let named = found && isCredit(found.message!) === isCredit(m) ? found : undefined;
    if (named && this.#isOtherAttempt(m, named.original ?? named)) named = undefined;
    const root = named?.original ?? named;
    if (root && root.card !== base.card) this.reach('advice by a replacement');
    const links = root === undefined ? {} : { original: root };
    const toldChange = root !== undefined && !isCredit(m) && (m.fn === 'I' || (m.fn === 'R' && !isFinancial(m)));
    const told = past.add({ ...base, ...links, response: '00', toldChange });
    if (m.why === 'D' || [30, 31, 38].includes(typeOf(m)) || (m.amount === 0 && root === undefined)) return told;
    const amount = inAccountCurrency(m, account);
    const isExpired = root !== undefined && !balances.holds.has(root.sequence) && past.isExpired(root);
    if (!(isFinancial(m) ? this.#post(m, told, amount) : this.#holdAsTold(m, told, named, amount))) return told;
    told.isDecided = true;
    if (isExpired) this.reach(isFinancial(m) ? 'posting after expiry' : 'completion after expiry');
    told.approved = amount;
    told.completes = root !== undefined && !toldChange && !told.tells && m.fn !== 'R' && m.why !== 'S';
    if (/^[0-9A-Za-z ]{1,6}$/.test(m.de38?.trimEnd() ?? '')) told.code = m.de38!.trimEnd();
    return told;
  }

  /** Both tell what the network approved in stand-in, and DE37 alone says that they belong together. */
  #isOtherAttempt(m: Message, root: Entry): boolean {
    const isOther =
      isStandIn(m) &&
      root.what === 'advice' &&
      isStandIn(root.message!) &&
      !isNamedExactly(m, root as Named) &&
      !m.hold;
    if (isOther) this.reach('two attempts in stand-in');
    return isOther;
  }

  /** 0220: posted, and its hold is released; of one of several parts as much of it. False when it changes nothing. */
  #post(m: Message, told: Entry, amount: number): boolean {
    const { past, balances, program } = this;
    const { original: root, card } = told;
    const { account } = balances.cards.get(card)!;
    if (root?.message && isFinancial(root.message) && past.isWhollyReversed(root)) return false;
    if (root && balances.presented.get(root.sequence)) return false;
    const cash = Math.min(amount, cashOf(m, account));
    const before = balances.chargedFor(root);
    const isPart = m.fn === 'I' && !isCredit(m);
    const others = isPart ? before : NOTHING;
    told.posted = amount > 0 || (!isPart && netOf(before) !== 0);
    const debit = {
      purchases: others.purchases + amount - cash,
      cash: others.cash + cash,
      fee: others.fee + feeOf(program, cash),
      credit: 0,
      loss: others.loss,
    };
    const charged = Math.abs(netOf(before));
    if (root && !isPart) told.counts = { stands: m.amount! };
    if (root && isStandIn(m)) {
      const { isFinal } = past.totalOf(root, account, { told: { message: m, amount, cash } });
      const isOfFinal = isFinal && (charged > 0 || !past.isWhollyReversed(root));
      if (isFinancial(root.message!) || isOfFinal) return this.#postInStandIn(m, told, root, { amount, cash }, charged);
    }
    const kept = root && balances.kept.get(root.sequence);
    if (isCredit(m)) balances.charge(told, balances.creditOf(root ?? told, account, amount));
    else if (kept && !isPart && amount <= charged) {
      this.reach('a posting that is lowered behind a dispute');
      balances.charge(
        told,
        reducedBy(before, charged - amount, (paid) => feeOf(program, paid), kept),
      );
    } else balances.charge(told, isPart ? debit : balances.raised(before, debit));
    if (isPart && (others.purchases > 0 || others.cash > 0)) this.reach('a part on top of others');
    const hold = root && balances.holds.get(root.sequence);
    if (hold?.refund) {
      // It has come.
      balances.set(root!.sequence, 0);
    } else if (hold) {
      const kept = isPart ? Math.max(0, hold.remaining - amount) : 0;
      if (kept > 0) this.reach('a part that leaves a hold');
      hold.cleared = netOf(debit);
      balances.set(root!.sequence, hold.cleared + kept);
    }
    return true;
  }

  /** 0220 of stand-in over what is posted: what has come since the network decided stays. */
  #postInStandIn(m: Message, told: Entry, root: Entry, word: Word, charged: number): true {
    const { past, balances } = this;
    const { account } = balances.cards.get(told.card)!;
    const before = balances.chargedFor(root);
    // Of a hold whose final amount came since that stands as it is posted.
    const isSingle = isFinancial(root.message!);
    const { cash, cashOfParts, ...all } = past.totalOf(root, account, { told: { message: m, ...word } });
    const total = isSingle ? all.total : charged;
    const hold = balances.holds.get(root.sequence);
    const inStandIn = { told: { message: m, amount: m.amount!, cash: 0 }, money: inAcquirers(root, account) };
    told.counts = isSingle ? { stands: past.totalOf(root, account, inStandIn).total } : {};
    if (isChangeOfUnknown(root)) this.reach('what began before a part of it, posted');
    told.isKnown = total === charged;
    this.reach(told.isKnown ? 'a posting that is told in stand-in' : 'another amount in stand-in, posted');
    const isDisputed = balances.kept.has(root.sequence);
    if (isSingle && !isCredit(m) && (!isDisputed || total > charged)) {
      if (charged > 0 && cash !== Math.min(before.cash, total)) this.reach('another cash part in stand-in');
      balances.charge(told, balances.raised(before, this.#changedTo(before, total, cash, cashOfParts)));
    } else if (total < charged) this.#takeBack(told, before, total);
    else if (total > charged) balances.charge(told, balances.creditOf(root, account, total));
    if (told.isKnown) return true;
    if (hold && !hold.refund) hold.cleared = total;
    if (hold) balances.set(root.sequence, hold.refund ? 0 : total);
    return true;
  }

  /** 0120: what is held becomes its amount. False when it changes nothing. */
  #holdAsTold(m: Message, told: Entry, named: Entry | undefined, amount: number): boolean {
    const { past, balances, program } = this;
    const { original: root, card, atMs } = told;
    const { account } = balances.cards.get(card)!;
    const life = lifeMs(program, (root ?? told).message!);
    if (root === undefined) {
      if (amount > 0) balances.open(told.sequence, account, amount, atMs + life, isCredit(m));
      return amount > 0;
    }
    if (root.message && isPump(program, root.message) && past.isCompleted(root)) return false;
    if (past.isWhollyReversed(root)) return false;
    const hold = balances.holds.get(root.sequence);
    const change = past.changeTold(m, card, named!);
    const { total: asTold, isReleased } = past.totalOf(root, account, {
      told: { message: m, amount, cash: Math.min(amount, cashOf(m, account)), of: change },
    });
    if (isChangeOfUnknown(root) && isStandIn(m)) this.reach('what began before a change of it');
    if (change && !approves(change.response)) this.reach('a declined change that is told');
    if (change) told.tells = change;
    const isToldOf = isStandIn(m) || change !== undefined;
    if (hold === undefined) {
      const total = isToldOf ? asTold : m.fn === 'I' && !isCredit(m) ? asTold + amount : amount;
      return this.#place(m, root, account, total, atMs + life, { isRetold: isToldOf, isReleased });
    }
    const isOnTop = m.fn === 'I' && !isCredit(m);
    const total = isToldOf ? asTold : isOnTop ? hold.authorized + amount : amount;
    if (change) this.reach(total === hold.authorized ? 'a change that is told' : 'a change that is told otherwise');
    else if (isStandIn(m) && total !== hold.authorized) this.reach('another amount in stand-in');
    const { authorized } = hold;
    balances.set(root.sequence, total);
    if (isOnTop && hold.authorized !== authorized) hold.expiresMs = atMs + life;
    return true;
  }

  /** What of a total is not posted yet is held anew. */
  #place(
    m: Message,
    root: Entry,
    account: ModelAccount,
    total: number,
    expiresMs: number,
    { isRetold, isReleased }: { isRetold: boolean; isReleased: boolean },
  ): boolean {
    const { balances } = this;
    const presented = balances.presented.get(root.sequence) ?? 0;
    if (presented > 0 && isReleased && !isRetold) return false;
    const posted = Math.abs(netOf(balances.chargedFor(root)));
    const charged = posted + presented;
    if (posted > 0 && isFinancial(root.message!) && !isChangeOfUnknown(root)) return false;
    if (total > charged) {
      if (charged > 0) this.reach('a rest that is held beside what is posted');
      if (isCredit(m)) balances.open(root.sequence, account, total - charged, expiresMs, true);
      else balances.open(root.sequence, account, total, expiresMs, false, charged);
      return true;
    }
    return (m.amount ?? 0) > 0;
  }

  /** The network lists a card, or a token alone. */
  #list(m: Message, card: ModelCard | ModelToken | undefined, base: Base): Entry {
    if (base.token) this.reach('listing of a token');
    if (card === undefined) return this.past.add({ ...base, response: '25' });
    const listed: Record<number, ModelCard['status']> = { 41: 'lost', 43: 'stolen', 46: 'closed', 54: 'expired' };
    const status = m.file === '3' ? 'active' : (listed[m.listing ?? 0] ?? 'paused');
    if (FINAL.includes(card.status) && status !== card.status) return this.past.add({ ...base, response: '21' });
    if (status === 'active') delete card.listed;
    else if (status === 'paused' || status === 'expired') card.listed = status;
    else card.status = status;
    if (card.listed && card.status !== 'active') this.reach('a status beside a listing');
    return this.past.add({ ...base, response: '00' });
  }

  #reverse(m: Message, base: Base): Entry {
    const { past, balances } = this;
    const found = past.namedBy(m, base.card, base.atMs, false, balances);
    // An advice that tells of a change means that; but DE37 means all of the authorization.
    const isOfPart = found?.tells !== undefined || (found?.original !== undefined && !isNoChange(found));
    const isOfAll = isOfPart && isByRrnAlone(m, found as Named) && sharesRrn(m, found!.original! as Named);
    if (isOfAll) this.reach('a reversal by DE37 of what a change is of');
    const named = isOfAll && isByRrnAlone(m, found!.original! as Named) ? found!.original : (found?.tells ?? found);
    if (named === undefined) {
      if (past.sharesRrn(m, base.card)) this.reach('a reversal of another message of a purchase');
      return past.add({ ...base, response: '00', tombstone: true });
    }
    const original = named.original ?? named;
    const openHold = balances.holds.get(original.sequence);
    const before = netOf(balances.chargedFor(original));
    const hasLeft = (openHold !== undefined && (openHold.remaining > 0 || openHold.refund)) || before !== 0;
    const mayMeanAnother = isByRrnAlone(m, named as Named) && !hasLeft;
    if (mayMeanAnother) this.reach('a reversal that may mean a second attempt');
    if (named.posted && named.place && base.place.day !== named.place.day) this.reach('reversal on another date');
    if (named.token !== base.token) this.reach('reversal by another number');
    if (named.card !== base.card) this.reach('reversal by a replacement');
    const account = balances.cards.get(base.card)?.account;
    const told = { ...base, response: '00', original, tombstone: mayMeanAnother };
    if (account === undefined) return past.add({ ...told, full: !m.de95 });
    const stays = m.de95 ? past.totalOf(original, account).stayingBy(m) : 0n;
    const least = (total: number): number => (stays < BigInt(total) ? Number(stays) : total);
    return this.#reverseFound(m, told, named, account, least);
  }

  #reverseFound(
    m: Message,
    told: Base & { response: string; original: Entry },
    named: Entry,
    account: ModelAccount,
    least: (total: number) => number,
  ): Entry {
    const { past, balances } = this;
    const { original } = told;
    const isChange = named.original ? !isNoChange(named) : isChangeOfUnknown(named) && !isByRrnAlone(m, named as Named);
    if (isChange && !named.original) this.reach('a reversal of the change that came first');
    // Of what is held DE95 says what stays of all of it.
    const isOfElement = isChange && (!m.de95 || isFinancial(named.message!));
    const isSingle = isFinancial(named.message!) && (approved(named) || named.isDecided || named === original);
    if (named.posted || isSingle) {
      if (!named.posted) this.reach('a reversal of what only others have posted');
      return isOfElement ? this.#reversePart(told, named) : this.#reversePosted(told, least);
    }
    const hold = balances.holds.get(original.sequence);
    const takesBack = isOfElement ? { takesBack: named } : {};
    const full = !m.de95 && !takesBack.takesBack;
    if (hold === undefined) {
      if (past.isExpired(original)) this.reach(m.de95 ? 'partial reversal after expiry' : 'full reversal after expiry');
      return past.add({ ...told, ...takesBack, full });
    }
    const total = takesBack.takesBack
      ? Math.max(0, hold.authorized - past.takenBack(named, m, account))
      : least(hold.authorized);
    balances.set(original.sequence, total);
    return past.add({ ...told, ...takesBack, full });
  }

  /** The mirror of what was posted, in full or down to what stays; beside it something may be held. */
  #reversePosted(told: Base & { response: string; original: Entry }, least: (total: number) => number): Entry {
    const { balances } = this;
    const { original } = told;
    const before = balances.chargedFor(original);
    const total = Math.abs(netOf(before));
    const left = least(total);
    const hold = balances.holds.get(original.sequence);
    if (hold) {
      if (!hold.refund) hold.cleared = left + (balances.presented.get(original.sequence) ?? 0);
      balances.set(original.sequence, least(hold.authorized));
    }
    const entry = this.past.add({ ...told, full: !told.message.de95 });
    if (left < total) {
      entry.postedBack = netOf(before) < 0 ? 'credit' : 'debit';
      entry.charges = [total, left];
    }
    this.#takeBack(entry, before, left);
    return entry;
  }

  /** What is charged when a debit comes to `total`, `cash` of it in cash: its fee changes as the program's does, and parts keep theirs. */
  #changedTo(before: Charged, total: number, cash: number, cashOfParts: number): Charged {
    const ownBefore = Math.max(0, before.cash - cashOfParts);
    const own = Math.max(0, cash - cashOfParts);
    const change = feeOf(this.program, own) - feeOf(this.program, ownBefore);
    const isLess = own < ownBefore;
    const changed = own === ownBefore || (isLess ? change > 0 : change < 0) ? before.fee : before.fee + change;
    return { ...NOTHING, purchases: total - cash, cash, fee: total === 0 ? 0 : Math.max(0, changed) };
  }

  /** @param part that is taken back, of several */
  #takeBack(entry: Entry, before: Charged, left: number, part = 0): void {
    const total = Math.abs(netOf(before));
    const kept = this.balances.kept.get((entry.original ?? entry).sequence);
    const after = reducedBy(before, total - left, (cash) => feeOf(this.program, cash), kept, part);
    if (after.loss < before.loss) this.reach('a reversal of what a dispute has given already');
    if (left > 0 && after.fee > 0 && after.fee < before.fee) this.reach('a fee that falls with its cash');
    this.balances.charge(entry, after);
  }

  /** Takes one of several parts back, once; the others and what is still held stay. */
  #reversePart(told: Base & { response: string; original: Entry }, part: Entry): Entry {
    const { balances } = this;
    const { original } = told;
    const before = balances.chargedFor(original);
    const total = netOf(before);
    const { account } = balances.cards.get(told.card)!;
    const partBack = this.past.takenBack(part, told.message, account, inAcquirers(original, account));
    const left = Math.max(0, total - this.past.takenBack(part, told.message, account));
    if (told.message.de95 && left < total) this.reach('a part that is brought down to DE95');
    const hold = balances.holds.get(original.sequence);
    if (hold) {
      hold.cleared = left + (balances.presented.get(original.sequence) ?? 0);
      balances.set(original.sequence, hold.cleared + hold.remaining);
    }
    const entry = this.past.add({ ...told, takesBack: part, partBack });
    if (left < total) Object.assign(entry, { postedBack: 'debit', charges: [total, left] });
    if (left < total) this.reach('reversal of a part');
    this.#takeBack(entry, before, left, part.sequence);
    return entry;
  }

  /** Windows count what stays of the authorization after the entry. */
  #recount(root: Entry, entry: Entry, isRollBack = false): void {
    if (root.message === undefined || isCredit(root.message)) return;
    const { card, message, response, approved: amount, atMs } = entry;
    const { account } = this.balances.cards.get(card)!;
    // No cash back is paid with a partial approval.
    const cash = amount > 0 && response !== '10' ? this.#moreCash(message!, root, account, entry) : 0;
    const total = this.balances.total(root);
    this.limits.recount(root, total, card, message, cash, this.#windowTime(atMs), total === 0, isRollBack);
  }

  /** What of a message is cash that was not counted before: of one that tells the whole what it tells more of. */
  #moreCash(m: Message, root: Entry, account: ModelAccount, entry?: Entry): number {
    const cash = cashOf(m, account);
    if (cash === 0 || entry === root) return cash;
    const before = this.past.totalOf(root, account, entry ? { before: entry } : {}).cash;
    if (entry && (isStandIn(m) || entry.tells)) return Math.max(0, this.past.totalOf(root, account).cash - before);
    return m.fn === 'I' ? cash : Math.max(0, cash - before);
  }

  #windowTime(atMs: number): number {
    return atMs - this.windowLagMs;
  }

  /** A history has come to a case. */
  reach(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  #answer(entry: Entry): Answer {
    const { response, sequence, balances } = entry;
    const hasCode = isRequest(entry.what) && approves(response);
    const answer: Answer = { response, sequence, repeated: false, hasCode };
    if (response === '10') {
      const { account } = this.balances.cards.get(entry.card)!;
      answer.partialAmount = inMerchantCurrency(entry.message!, account, entry.approved);
    }
    if (balances) Object.assign(answer, balances);
    return answer;
  }
}

/** 4: the token, if it came by one, the card, and the account. */
function refusalOf(card: ModelCard, token: ModelToken | undefined, m: Message, atMs: number): Refusal | undefined {
  const byStatus = { inactive: '78', paused: '62', lost: '41', stolen: '43', closed: '14', expired: '54' };
  const ofToken = token && deciding(token);
  if (ofToken && ofToken !== 'active') {
    // How the card was lost is not the token's to tell.
    return FINAL.includes(ofToken) ? ['token_closed', '14'] : [`token_${ofToken}`, byStatus[ofToken]];
  }
  // A token is decided before the card that it stands for, its date too.
  if (token) {
    if (m.expiry !== undefined && m.expiry !== token.expiry) return ['expiry_mismatch', '54'];
    if (isPast(token.expiry, atMs)) return ['token_expired', '54'];
  }
  const ofCard = deciding(card);
  if (ofCard !== 'active') return [`card_${ofCard}`, byStatus[ofCard]];
  if (!token && m.expiry !== undefined && m.expiry !== card.expiry) return ['expiry_mismatch', '54'];
  if (isPast(card.expiry, atMs)) return ['card_expired', '54'];
  if (card.account.status === 'frozen') return ['account_frozen', '62'];
  return card.account.status === 'closed' ? ['account_closed', '14'] : undefined;
}

/** Its own status first, then the network's list. */
const deciding = ({ status, listed }: ModelCard | ModelToken): ModelCard['status'] =>
  status === 'active' && listed ? listed : status;

/** A card is good until the end of the month that it shows. */
const isPast = (expiry: number, atMs: number): boolean =>
  atMs >= Date.UTC(2000 + Math.trunc(expiry / 100), expiry % 100, 1);
