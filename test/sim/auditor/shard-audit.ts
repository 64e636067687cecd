/**
 * One shard: its durable records in their order, each held against what the reference model decides from all records before it.
 * What a record says about itself (what the message asked, when it was decided) is taken from it; everything that came of it is
 * decided again.
 */
import type { Entry, ModelAccount } from '../../domain/reference/entry.js';
import { isCredit } from '../../domain/reference/message.js';
import { ReferenceModel } from '../../domain/reference/model.js';
import type { ModelProgram } from '../../domain/reference/program.js';
import { RULES } from '../../domain/reference/rules.js';
import type { ControlsJson } from '../../domain/velocity-model.js';
import {
  type AuditedAccount,
  type AuditedCard,
  type AuditedProgram,
  ELEMENTS,
  FINAL,
  MATCHABLE_MS,
  NO_PROGRAM,
  RULE,
} from './audited.js';
import type { Books } from './books.js';
import { ClearingAudit } from './clearing.js';
import { EntryAudit } from './entries.js';
import { fail, same } from './failure.js';
import { Chain, type Frame } from './frame.js';
import { Cursor, FormatError } from './msgpack.js';
import { checkPosted } from './posted.js';
import { type AnyRecord, type MessageRecord, readRecord } from './records.js';
import { ACCOUNT_STATUS, CARD_STATUS, messageOf } from './words.js';

export type { AuditedAccount, AuditedCard } from './audited.js';

/** An account before a record, and what messages had moved of the loss by disputes. */
interface Before {
  readonly posted: number;
  readonly held: number;
  readonly owes: ModelAccount['owes'];
  readonly loss: number;
}

export class ShardAudit {
  readonly shard: number;
  readonly chain: Chain;
  readonly model = new ReferenceModel(NO_PROGRAM.model);
  readonly accounts: AuditedAccount[] = [];
  readonly byId = new Map<string, AuditedAccount>();
  readonly cards: AuditedCard[] = [];
  readonly #books: Books;
  readonly #programs = new Map<number, AuditedProgram>();
  readonly #cursor = new Cursor();
  readonly #entries: EntryAudit;
  readonly #clearing: ClearingAudit;
  /** Holds that somebody asked to end. */
  readonly #ended = new Set<number>();
  #lastMs = 0;
  #windowMs = 0;

  constructor(shard: number, books: Books) {
    this.shard = shard;
    this.chain = new Chain(shard);
    this.#books = books;
    this.#entries = new EntryAudit(this, books);
    this.#clearing = new ClearingAudit(this, books, this.#entries);
  }

  /** Time of the last record, ms since 1970 UTC. */
  get timeMs(): number {
    return this.#lastMs;
  }

  /** Takes a durable frame and gives its records. @param folded called behind each @throws AuditFailure */
  take(bytes: Uint8Array, folded: () => void = () => undefined): AnyRecord[] {
    const frame = this.chain.take(bytes);
    const records: AnyRecord[] = [];
    this.#followWindows(frame);
    for (let i = 0; i < frame.places.length; i += 2) {
      const sequence = frame.first + i / 2;
      const record = this.#read(frame, sequence, frame.places[i]!, frame.places[i + 1]!);
      const { atMs } = record;
      if (atMs < this.#lastMs || atMs > Math.max(this.#lastMs, frame.wallMs)) {
        fail('time', "a shard's time never goes back, and follows the wall clock", {
          ...{ shard: this.shard, sequence, atMs, before: this.#lastMs, wallMs: frame.wallMs },
        });
      }
      this.#lastMs = atMs;
      this.#fold(record);
      if (this.model.past.log.length !== sequence) throw new Error(`the auditor lost count at record ${sequence}`);
      records.push(record);
      folded();
    }
    return records;
  }

  /** Time of velocity windows, by the frame: over a start it goes on from what the last one says. */
  #followWindows({ first, wallMs, windowLagS }: Frame): void {
    const windowMs = wallMs - windowLagS * 1000;
    // The lag is cut to whole seconds.
    if (windowMs < this.#windowMs - 999)
      fail('time', 'the time of velocity windows never goes back', {
        ...{ shard: this.shard, first, wallMs, windowLagS, before: this.#windowMs },
      });
    this.#windowMs = Math.max(this.#windowMs, windowMs);
  }

  #read(frame: Frame, sequence: number, from: number, to: number): AnyRecord {
    try {
      return readRecord(this.#cursor.point(frame.bytes, from, to), sequence);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      fail('record', error.message, { shard: this.shard, sequence });
    }
  }

  /** Somebody asks for the end of a hold before its time. */
  endCommanded(sequence: number): void {
    this.#ended.add(sequence);
  }

  /** What an account has on an account of the chart. */
  detail(account: AuditedAccount, gl: number): number {
    return this.#entries.detail(account, gl);
  }

  hasEntry(key: string): boolean {
    return this.#books.keys.has(key);
  }

  account(slot: number, sequence: number): AuditedAccount {
    return (
      this.accounts[slot] ?? fail('record', 'a record names an account that there is', { ...this.#at(sequence), slot })
    );
  }

  card(slot: number, sequence: number): AuditedCard {
    return this.cards[slot] ?? fail('record', 'a record names a card that there is', { ...this.#at(sequence), slot });
  }

  programOf(account: AuditedAccount | undefined): AuditedProgram {
    return (account && this.#programs.get(account.program)) ?? NO_PROGRAM;
  }

  /** The model decides with the program of this account from here on. */
  enter(account: AuditedAccount | undefined): AuditedProgram {
    const program = this.programOf(account);
    const { model } = this;
    if (model.program !== program.model) {
      model.program = program.model;
      model.limits.windows.program = program.model.controls;
      model.limits.windows.groups = program.model.tables.mcc_groups ?? {};
    }
    return program;
  }

  #at(sequence: number): { shard: number; sequence: number } {
    return { shard: this.shard, sequence };
  }

  #fold(record: AnyRecord): void {
    const { model } = this;
    const { atMs, sequence } = record;
    switch (record.kind) {
      case 'account created': {
        same('record', 'slots of accounts rise', record.account, this.accounts.length, () => this.#at(sequence));
        if (this.byId.has(record.id))
          fail('entry key', 'an account is created once', { ...this.#at(sequence), id: record.id });
        model.createAccount(record.id, record.currency, record.limit, atMs);
        const account: AuditedAccount = {
          ...{ slot: record.account, id: record.id, program: record.program, last: sequence },
          ...{ model: model.balances.accounts.get(record.id)!, beside: { accrued: 0, dispute: 0, loss: 0 } },
        };
        this.accounts.push(account);
        this.byId.set(record.id, account);
        return;
      }
      case 'account updated': {
        const account = this.#linked(record);
        const status = ACCOUNT_STATUS[record.status] as ModelAccount['status'];
        // A charge-off closes an account that somebody closed before, too.
        if (account.model.status === 'closed' && status !== 'closed') {
          fail('record', 'a closed account stays closed', { ...this.#at(sequence), account: account.id });
        }
        account.model.status = status;
        account.model.limit = record.limit;
        model.past.add({ atMs });
        return;
      }
      case 'card created':
        this.#createCard(record);
        return;
      case 'card updated': {
        this.#linked(record);
        const { name } = this.card(record.card, sequence);
        const target = model.balances.tokens.get(name) ?? model.balances.cards.get(name)!;
        const status = CARD_STATUS[record.status] as typeof target.status;
        if (FINAL.includes(target.status) && target.status !== status) {
          fail('record', 'a closed, lost or stolen card stays what it is', {
            ...this.#at(sequence),
            card: name,
            status,
          });
        }
        target.status = status;
        if (record.pinTries >= 0 && 'failedPins' in target) target.failedPins = record.pinTries;
        model.past.add({ atMs });
        return;
      }
      case 'message':
        this.#message(record);
        return;
      case 'not delivered':
        this.#notDelivered(record);
        return;
      case 'hold expired':
        this.#expired(record);
        return;
      case 'program applied':
        this.#applyProgram(record.program, record.revision, record.text, sequence);
        model.past.add({ atMs });
        return;
      case 'controls set': {
        this.#linked(record);
        const controls = record.text === '' ? undefined : (JSON.parse(record.text) as ControlsJson);
        if (record.card >= 0) model.limits.setCardControls(this.card(record.card, sequence).name, controls);
        else model.limits.setAccountControls(this.account(record.account, sequence).id, controls);
        model.past.add({ atMs });
        return;
      }
      case 'PIN reference set':
        this.#linked(record);
        model.past.add({ atMs });
        return;
      case 'payment':
        this.#linked(record);
        this.#entries.payment(record);
        model.past.add({ atMs });
        return;
      case 'entry posted':
        if (record.account >= 0) this.#linked(record);
        this.#entries.entry(record);
        model.past.add({ atMs });
        return;
      case 'clearing posted':
        if (record.account >= 0) this.#linked(record);
        this.#clearing.posted(record);
        return;
      case 'statement closed':
        this.#linked(record);
        same(
          'books',
          'a statement shows the posted balance',
          record.balance,
          this.#posted(record.account),
          () => record as never,
        );
        model.past.add({ atMs });
        return;
      case 'totals compared':
      case 'accrual marked':
      case 'aside':
        model.past.add({ atMs });
        return;
      default:
        record satisfies never;
    }
  }

  #posted(slot: number): number {
    return this.model.balances.posted(this.accounts[slot]!.model);
  }

  /** Checks the links of a record, and makes it the newest of its account and card. */
  #linked(record: {
    account: number;
    card?: number;
    sequence: number;
    previousOfAccount: number;
    previousOfCard?: number;
  }): AuditedAccount {
    const { sequence } = record;
    const account = this.account(record.account, sequence);
    same('record', 'a record names the one before of its account', record.previousOfAccount, account.last, () =>
      this.#at(sequence),
    );
    account.last = sequence;
    if (record.card === undefined || record.card < 0) return account;
    const card = this.card(record.card, sequence);
    same('record', 'a card belongs to the account of the record', card.account.id, account.id, () =>
      this.#at(sequence),
    );
    same('record', 'a record names the one before of its card', record.previousOfCard, card.last, () =>
      this.#at(sequence),
    );
    card.last = sequence;
    return account;
  }

  #createCard(record: AnyRecord & { kind: 'card created' }): void {
    const { model } = this;
    const { sequence, atMs } = record;
    const account = this.#linked({ ...record, card: -1 });
    same('record', 'slots of cards rise', record.card, this.cards.length, () => this.#at(sequence));
    const of = record.aliasOf >= 0 ? this.card(record.aliasOf, sequence) : undefined;
    const replaces = record.replaces >= 0 ? this.card(record.replaces, sequence) : undefined;
    const name = `${of ? 't' : 'c'}${record.card}`;
    const card: AuditedCard = {
      ...{ slot: record.card, name, account, of, replaces, replacedBy: undefined },
      ...{ bin: record.bin, last4: record.last4, panLength: record.panLength, fingerprint: record.fingerprint.join() },
      ...{ last: sequence, codes: new Map() },
    };
    const status = CARD_STATUS[record.status] as 'active';
    if (of) {
      model.balances.tokens.set(name, { card: of.name, status, expiry: record.expiry });
    } else {
      if (replaces?.replacedBy)
        fail('record', 'a card is replaced once', { ...this.#at(sequence), card: replaces.name });
      if (replaces) replaces.replacedBy = card;
      model.balances.cards.set(name, {
        account: account.model,
        status,
        expiry: record.expiry,
        createdMs: atMs,
        failedPins: 0,
      });
      if (replaces) model.past.replaces.set(name, replaces.name);
      model.limits.addCard(name, account.id, replaces?.name);
    }
    this.cards.push(card);
    model.past.add({ atMs });
  }

  #applyProgram(program: number, revision: number, text: string, sequence: number): void {
    const before = this.#programs.get(program)?.revision ?? 0;
    if (revision <= before)
      fail('record', 'revisions of a program rise', { ...this.#at(sequence), program, revision, before });
    const { tables, controls, rules } = JSON.parse(text) as {
      tables: ModelProgram['tables'];
      controls: ControlsJson;
      rules: { text: string; state: 'active' | 'shadow' }[];
    };
    const known = rules.map(({ text: rule, state }) => ({ rule: RULES.findIndex((one) => one.text === rule), state }));
    this.#programs.set(program, { revision, model: { tables, controls: controls ?? {}, rules: known } });
  }

  // ---- messages ----

  #message(r: MessageRecord): void {
    const { model, shard } = this;
    const { sequence, atMs } = r;
    const account = r.account >= 0 ? this.#linked(r) : undefined;
    const card = r.card >= 0 ? this.card(r.card, sequence) : undefined;
    const token = r.token >= 0 ? this.card(r.token, sequence) : undefined;
    // A token has a list of its own, of what changed it.
    if (token && r.listing !== 0) token.last = sequence;
    const m = messageOf(r);
    if (r.badField !== 0 && r.response === '30') m.bad = r.badField;
    const before = account && this.#balances(account);
    const evidence = (): Record<string, unknown> => ({
      ...{ shard, sequence, rrn: r.rrn, mti: r.mti, card: card?.name, account: account?.id, message: m, before },
      ...{ response: r.response, reason: r.reason, approved: r.approved, holdDelta: r.holdDelta, legs: r.legs },
      after: account && this.#balances(account),
    });
    const check = (what: string, engine: unknown, expected: unknown): void =>
      same('decision', what, engine, expected, evidence);
    if (account && before) {
      const were = [r.limitBefore, r.postedBefore, r.heldBefore];
      check('balances before are the fold of what was before', were, [account.model.limit, before.posted, before.held]);
    }
    if (token && token.of !== card) fail('record', 'a token stands for the card of the record', evidence());
    const program = this.enter(account);
    const number = token?.name ?? card?.name ?? `u${r.fingerprint.join()}`;
    model.windowLagMs = r.windowLagMs;
    model.toldRule = r.reason === RULE ? { place: r.decidingRule, code: r.response } : undefined;
    if (card && r.readings.length > 0) this.#readings(r, card, evidence);
    const hold = this.#holdOf(r);
    const endBefore = hold?.expiresMs;
    const answer = model.message(m, number, atMs, { link: r.link, day: r.businessDay });
    // The model knows no keys: whether a PIN was right is the record's to say.
    const counted = card === undefined ? undefined : model.balances.cards.get(card.name);
    if (counted !== undefined && r.pinTriesAfter >= 0) counted.failedPins = r.pinTriesAfter;
    if (answer.repeated)
      fail('repeat with an effect', 'a repeat changes nothing and leaves no record', {
        ...evidence(),
        first: answer.sequence,
      });
    const entry = model.past.log[sequence - 1];
    if (entry === undefined) throw new Error(`the auditor lost count at record ${sequence}`);
    check('response', r.response, answer.response);
    if (ELEMENTS[r.element]?.includes(entry.what) !== true) check('element', r.element, entry.what);
    check('original', r.original, entry.original?.sequence ?? 0);
    check('tombstone', r.tombstone === 1, entry.tombstone);
    if (r.revision !== 0 || answer.hasCode) check('revision of the program', r.revision, program.revision);
    if (account === undefined || before === undefined) {
      check('nothing moves without an account', [r.holdDelta, r.legs.length, r.approved], [0, 0, 0]);
      return;
    }
    this.#effects(r, entry, account, before, check);
    check('approval code', r.code >= 0, answer.hasCode || entry.code !== undefined);
    if (answer.hasCode) this.#takeCode(r, card!, entry, evidence);
    if (answer.hasCode && entry.what !== 'credit' && !isCredit(m)) this.#isCovered(r, account, before, evidence);
    const root = entry.original ?? entry;
    const now = model.balances.holds.get(root.sequence);
    const isNewEnd = now !== undefined && (endBefore !== now.expiresMs || r.placedAnew === 1);
    if (isNewEnd || r.holdExpiresMs !== 0) check('end of the hold', r.holdExpiresMs, now?.expiresMs ?? 0);
  }

  /** What the windows of card and account held before the message. */
  #readings(r: MessageRecord, card: AuditedCard, evidence: () => Record<string, unknown>): void {
    const { limits } = this.model;
    const number = limits.number(card.name);
    const placed = limits.windows.windowsOf(number);
    const ordered = (['card', 'account'] as const).map((level) => placed.filter((one) => one.level === level));
    const windows = ordered.map((list) => list.length);
    same('velocity', 'windows that were read', [r.cardWindows, r.accountWindows], windows, evidence);
    // The page of the format does not tell the order of the windows of a level.
    let at = 0;
    for (const list of ordered) {
      const read = list.map(() => `${r.readings[at++]} in ${r.readings[at++]}`);
      const held = list.map((one) => {
        const { amount, count } = limits.windows.value(number, one, r.atMs - r.windowLagMs);
        return `${amount} in ${count}`;
      });
      same('velocity', 'what windows held', read.sort(), held.sort(), evidence);
    }
  }

  #holdOf(r: MessageRecord): { expiresMs: number } | undefined {
    const hold = this.model.balances.holds.get(r.original);
    return hold && { expiresMs: hold.expiresMs };
  }

  #balances({ model }: AuditedAccount): Before {
    const { balances } = this.model;
    const { loss } = balances;
    return { posted: balances.posted(model), held: balances.held(model), owes: { ...model.owes }, loss };
  }

  #effects(
    r: MessageRecord,
    entry: Entry,
    account: AuditedAccount,
    before: Before,
    check: (what: string, engine: unknown, expected: unknown) => void,
  ): void {
    const { balances } = this.model;
    check('change of held', r.holdDelta, balances.held(account.model) - before.held);
    if (r.element !== 4) check('approved amount', r.approved, entry.approved);
    const root = entry.original ?? entry;
    const hold = balances.holds.get(root.sequence);
    if (hold && (r.holdDelta !== 0 || r.legs.length > 0))
      check('authorized afterwards', r.authorizedAfter, hold.authorized);
    checkPosted(r.legs, account, before.owes, balances.loss - before.loss, check);
    const { currency } = account.model;
    this.#books.hold(currency, r.holdDelta);
    const legs = r.legs.map((leg) => ({ ...leg, currency, sub: 0 }));
    this.#books.post(legs, () => ({ shard: this.shard, sequence: r.sequence }));
  }

  /** A code is given once among what can be matched. */
  #takeCode(r: MessageRecord, card: AuditedCard, entry: Entry, evidence: () => Record<string, unknown>): void {
    if (r.code < 0 || r.code > 999_999)
      fail('approval code', 'an approval code has six digits', { ...evidence(), code: r.code });
    const given = card.codes.get(r.code);
    if (given !== undefined && r.atMs - this.model.past.log[given - 1]!.atMs <= MATCHABLE_MS) {
      fail('approval code', 'a code is unique per card', { ...evidence(), code: r.code, given });
    }
    card.codes.set(r.code, r.sequence);
    entry.code = String(r.code).padStart(6, '0');
  }

  /** What we approved ourselves is covered by what was available before. */
  #isCovered(
    r: MessageRecord,
    { model }: AuditedAccount,
    before: { posted: number; held: number },
    evidence: () => Record<string, unknown>,
  ): void {
    const used = r.holdDelta + this.model.balances.posted(model) - before.posted;
    const available = model.limit - before.posted - before.held;
    if (used <= 0 || used <= available) return;
    fail('available overdrawn', 'an authorization that we approve is covered', { ...evidence(), available, used });
  }

  #notDelivered(r: AnyRecord & { kind: 'not delivered' }): void {
    const account = this.#linked(r);
    const { model } = this;
    const evidence = (): Record<string, unknown> => ({ ...r, shard: this.shard, account: account.id });
    const approval = model.past.log[r.approval - 1];
    if (approval?.message === undefined) fail('roll-back', 'a roll-back names an approval', evidence());
    const before = this.#balances(account);
    this.enter(account);
    if (!model.notDelivered(r.approval, r.atMs))
      fail('roll-back', 'only an approval that stands is rolled back, once', evidence());
    const check = (what: string, engine: unknown, expected: unknown): void =>
      same('roll-back', what, engine, expected, evidence);
    const root = approval.original ?? approval;
    check('authorization', r.authorization, root.sequence);
    check('change of held', r.holdDelta, model.balances.held(account.model) - before.held);
    const hold = model.balances.holds.get(root.sequence);
    if (hold) check('authorized afterwards', r.authorizedAfter, hold.authorized);
    checkPosted(r.legs, account, before.owes, model.balances.loss - before.loss, check);
    const { currency } = account.model;
    this.#books.hold(currency, r.holdDelta);
    this.#books.post(
      r.legs.map((leg) => ({ ...leg, currency, sub: 0 })),
      evidence,
    );
  }

  #expired(r: AnyRecord & { kind: 'hold expired' }): void {
    const account = this.#linked(r);
    const { model } = this;
    const hold = model.balances.holds.get(r.authorization);
    const evidence = (): Record<string, unknown> => ({
      ...r,
      shard: this.shard,
      account: account.id,
      hold: { ...hold, account: undefined },
    });
    if (hold === undefined) fail('expiry', 'an open hold comes to its end, once', evidence());
    if (r.atMs < hold.expiresMs && !this.#ended.has(r.authorization))
      fail('expiry', 'a hold does not end before its time', evidence());
    same('expiry', 'it releases what remains', r.holdDelta, 0 - hold.remaining + 0, evidence);
    same('expiry', 'what was cleared stays authorized', r.authorizedAfter, hold.cleared, evidence);
    this.enter(account);
    model.expire(r.authorization, r.atMs);
    this.#books.hold(account.model.currency, r.holdDelta);
  }
}
