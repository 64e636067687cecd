/**
 * The rules once more, as plainly as possible: objects, Maps, linear searches over everything that ever happened, bigint
 * where a product could be large. It shares no code with the engine, and it is far too slow to be one. The property test
 * drives both with the same random histories and compares every answer and every balance.
 *
 * Approval codes are the engine's choice: the model says whether there is one, takes note of it, and the test checks that
 * it is unique.
 */

/** A message as a sender would describe it. Absent fields are absent. */
export interface Message {
  mti: number;
  pc?: number;
  amount?: number;
  currency?: number;
  bill?: number;
  billCurrency?: number;
  stan: number;
  de7: number;
  expiry?: number;
  mcc?: number;
  mode?: number;
  condition?: number;
  fn?: string;
  partial?: boolean;
  acquirer?: string;
  forwarder?: string;
  rrn?: string;
  terminal?: string;
  de38?: string;
  net?: string;
  orig?: string;
  de90?: { mti: number; stan?: number; de7?: number; acquirer?: string; forwarder?: string };
  de95?: number;
  /** Cash part of DE4: DE54 amount type 40. */
  back?: number;
  /** DE48 tag 80. */
  hold?: string;
  /** DE48 tag 84. */
  why?: string;
  /** DE91 and DE127 of a file update. */
  file?: string;
  listing?: number;
  bad?: number;
}

/** Tables of the program that the histories run under. */
export const MODEL_FEE = { flat: 100, basisPoints: 250 } as const;
const FUEL = { mcc: 5542, amount: 17_500, least: 100 } as const;

export interface ModelAccount {
  id: string;
  currency: number;
  limit: number;
  status: 'open' | 'frozen' | 'closed';
  /** Owed, by kind; positive = the cardholder owes. */
  owes: { purchases: number; cash: number; fees: number; interest: number; credit: number };
}

export interface ModelCard {
  account: ModelAccount;
  status: 'inactive' | 'active' | 'paused' | 'lost' | 'stolen' | 'closed' | 'expired';
  /** The network's list: a cause of its own. */
  listed?: 'paused' | 'expired';
  expiry: number;
}

interface Hold {
  account: ModelAccount;
  first: number;
  authorized: number;
  remaining: number;
  cleared: number;
  expiresMs: number;
  refund: boolean;
}

/** What single messages have charged for one authorization; a refund has negative parts. */
interface Charged {
  purchases: number;
  cash: number;
  fee: number;
  credit: number;
}

/** What one element of an authorization counted in its card's day, and what of it was not given back. */
interface Counted {
  card: string;
  day: number;
  amount: number;
  uses: number;
}

type What =
  | 'debit'
  | 'increment'
  | 'replacement'
  | 'credit'
  | 'verification'
  | 'inquiry'
  | 'advice'
  | 'reversal'
  | 'file update'
  | 'not understood';

interface Entry {
  sequence: number;
  atMs: number;
  what: What | 'roll-back' | 'other';
  message?: Message;
  card: string;
  response: string;
  code?: number;
  /** Approved in the account's currency. */
  approved: number;
  /** Answer to a repeat that was refused (94, 68). */
  refusedRepeat: boolean;
  tombstone: boolean;
  /** The authorization that it belongs to, when that is another entry. */
  original?: Entry;
  /** Reversal: the increment that it takes back. */
  takesBack?: Entry;
  /** What an increment added to the hold. */
  added: number;
  /** Advice: it told of an increment, which was added. */
  toldIncrement: boolean;
  /** Advice: it told the final amount. */
  completes: boolean;
  /** Reversal: nothing of the original stays authorized. */
  full: boolean;
  /** It posted something. */
  posted: boolean;
  balances?: { ledger: number; available: number };
}

export interface Answer {
  response: string;
  /** Sequence of the record behind the answer. */
  sequence: number;
  repeated: boolean;
  hasCode: boolean;
  partialAmount?: number;
  ledger?: number;
  available?: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export class ReferenceModel {
  readonly accounts = new Map<string, ModelAccount>();
  readonly cards = new Map<string, ModelCard>();
  /** Holds and charges by the sequence of their authorization. */
  readonly holds = new Map<number, Hold>();
  readonly charged = new Map<number, Charged>();
  /** Daily limits of cards, and what was counted: by authorization, oldest first. */
  readonly limits = new Map<string, { amount?: number; count?: number }>();
  readonly counted = new Map<number, Counted[]>();
  readonly references = new Set<string>();
  readonly log: Entry[] = [];

  held(account: ModelAccount): number {
    let sum = 0;
    for (const hold of this.holds.values()) if (hold.account === account) sum += hold.remaining;
    return sum;
  }

  posted({ owes }: ModelAccount): number {
    return owes.purchases + owes.cash + owes.fees + owes.interest + owes.credit;
  }

  available(account: ModelAccount): number {
    return account.limit - this.posted(account) - this.held(account);
  }

  /** Takes note of the approval code that the engine gave. */
  noteCode(sequence: number, code: number): void {
    this.log[sequence - 1]!.code = code;
  }

  // ---- commands ----

  createAccount(id: string, currency: number, limit: number, atMs: number): void {
    const owes = { purchases: 0, cash: 0, fees: 0, interest: 0, credit: 0 };
    this.accounts.set(id, { id, currency, limit, status: 'open', owes });
    this.#other(atMs);
  }

  createCard(name: string, account: string, expiry: number, atMs: number): void {
    this.cards.set(name, { account: this.accounts.get(account)!, status: 'active', expiry });
    this.#other(atMs);
  }

  setCard(name: string, status: ModelCard['status'], atMs: number): boolean {
    const card = this.cards.get(name)!;
    if (['lost', 'stolen', 'closed'].includes(card.status) && card.status !== status) return false;
    card.status = status;
    this.#other(atMs);
    return true;
  }

  setLimits(name: string, limits: { amount?: number; count?: number } | undefined, atMs: number): void {
    if (JSON.stringify(limits) === JSON.stringify(this.limits.get(name))) return;
    if (limits === undefined) this.limits.delete(name);
    else this.limits.set(name, limits);
    this.#other(atMs);
  }

  setAccount(id: string, change: { status?: ModelAccount['status']; limit?: number }, atMs: number): boolean {
    const account = this.accounts.get(id)!;
    if (account.status === 'closed') return false;
    Object.assign(account, change);
    this.#other(atMs);
    return true;
  }

  pay(id: string, amount: number, reference: string, atMs: number): boolean {
    const account = this.accounts.get(id)!;
    const unique = `${id} ${reference}`;
    if (amount < 1 || this.references.has(unique)) return false;
    this.references.add(unique);
    let rest = amount;
    for (const kind of ['interest', 'fees', 'cash', 'purchases'] as const) {
      const part = Math.min(rest, Math.max(0, account.owes[kind]));
      account.owes[kind] -= part;
      rest -= part;
    }
    account.owes.credit -= rest;
    this.#other(atMs);
    return true;
  }

  /** Ledger entries that the model does not decide were recorded; what they did to accounts is told to it. */
  entered(records: number, atMs: number): void {
    for (let i = 0; i < records; i++) this.#other(atMs);
  }

  notDelivered(sequence: number, atMs: number): boolean {
    const entry = this.log[sequence - 1]!;
    if (!entry.message || !isRequest(entry.what) || !approves(entry.response)) return false;
    if (this.log.some((e) => e.what === 'roll-back' && e.original === entry)) return false;
    if (entry.original) {
      const hold = this.holds.get(entry.original.sequence);
      if (hold) this.#set(entry.original.sequence, hold, Math.max(0, hold.authorized - this.#stillAdded(entry)));
    } else {
      const hold = this.holds.get(sequence);
      if (hold) this.#set(sequence, hold, 0);
      if (entry.posted) this.#charge(entry, { purchases: 0, cash: 0, fee: 0, credit: 0 });
    }
    this.#push({ atMs, what: 'roll-back', card: entry.card, original: entry });
    this.#recount(entry.original ?? entry, entry.card, atMs);
    return true;
  }

  /** What a card has used up today. */
  used(card: string, atMs: number): { amount: number; uses: number } {
    const used = { amount: 0, uses: 0 };
    for (const counted of [...this.counted.values()].flat()) {
      if (counted.card !== card || counted.day !== Math.floor(atMs / DAY)) continue;
      used.amount += counted.amount;
      used.uses += counted.uses;
    }
    return used;
  }

  /** 61 or 65 when a daily limit of the card does not have room. */
  #limited(card: string, amount: number, uses: number, atMs: number): string | undefined {
    const limits = this.limits.get(card);
    if (limits === undefined) return undefined;
    const used = this.used(card, atMs);
    if (amount > 0 && used.amount + amount > (limits.amount ?? Number.POSITIVE_INFINITY)) return '61';
    return uses > 0 && used.uses + uses > (limits.count ?? Number.POSITIVE_INFINITY) ? '65' : undefined;
  }

  /** Brings what an authorization has counted to its total: more counts today, less goes back, the newest first. */
  #recount(root: Entry, card: string, atMs: number): void {
    if (root.message === undefined || isCreditType(root.message)) return;
    const counted = this.counted.get(root.sequence) ?? [];
    this.counted.set(root.sequence, counted);
    const { purchases, cash } = this.charged.get(root.sequence) ?? NOTHING;
    const total = this.holds.get(root.sequence)?.authorized ?? purchases + cash;
    let sum = counted.reduce((all, { amount }) => all + amount, 0);
    if (total > sum) {
      const day = this.limits.has(card) ? Math.floor(atMs / DAY) : -1;
      counted.push({ card, day, amount: total - sum, uses: sum === 0 ? 1 : 0 });
      return;
    }
    for (const element of counted.toReversed()) {
      const back = Math.min(element.amount, sum - total);
      element.amount -= back;
      sum -= back;
      if (total === 0) element.uses = 0;
    }
  }

  // ---- messages ----

  message(m: Message, cardName: string, atMs: number): Answer {
    const answer = this.#decide(m, cardName, atMs);
    const entry = this.log[answer.sequence - 1]!;
    if (!answer.repeated && this.cards.has(cardName)) this.#recount(entry.original ?? entry, cardName, atMs);
    return answer;
  }

  #decide(m: Message, cardName: string, atMs: number): Answer {
    const card = this.cards.get(cardName);
    const what = whatIs(m);
    const base = { atMs, what, message: m, card: cardName };
    const { log } = this;

    // 1 format, message type
    if (isMalformed(m, what, card?.account.currency)) {
      return this.#answer(this.#push({ ...base, what: 'not understood', response: '30' }));
    }
    if (what === 'not understood') return this.#answer(this.#push({ ...base, response: '12' }));

    // 2 duplicate
    const same = log.filter(
      (e) => e.message && e.what !== 'not understood' && e.card === cardName && sameKey(e.message, m),
    );
    let past = same.filter((e) => e.message!.de7 === m.de7 && atMs - e.atMs <= 24 * HOUR);
    if (past.length === 0 && m.mti % 2 === 1) past = same.filter((e) => atMs - e.atMs <= HOUR / 6);
    if (past.length > 0) {
      const stored = past.findLast((e) => sameMoney(e.message!, m));
      if (stored === undefined) return this.#answer(this.#push({ ...base, response: '94', refusedRepeat: true }));
      if (approves(stored.response) && isRequest(stored.what)) {
        const gone = this.#isUndone(stored) || (stored.original && this.#isReversed(stored.original));
        if (gone) return this.#answer(this.#push({ ...base, response: '68', refusedRepeat: true }));
      }
      return { ...this.#answer(stored), repeated: true };
    }
    if (what === 'reversal') return this.#answer(this.#reverse(m, cardName, base));
    if (what === 'file update') return this.#answer(this.#list(m, card, base));

    // 3 tombstone
    const reversedBefore = log.some(
      (e) => e.tombstone && e.card === cardName && atMs - e.atMs <= 24 * HOUR && names(e.message!, { message: m }),
    );
    if (what === 'advice') {
      if (reversedBefore || card === undefined) return this.#answer(this.#push({ ...base, response: '00' }));
      return this.#answer(this.#advise(m, card.account, base));
    }
    if (reversedBefore) return this.#answer(this.#push({ ...base, response: '68' }));
    const continued = what === 'increment' || what === 'replacement' ? this.#openOf(m, cardName, atMs) : undefined;

    // 4 card and account
    const refusal = card === undefined ? '14' : refusalOf(card, m, atMs);
    if (card === undefined || refusal !== undefined) {
      const links = continued === undefined ? { what: asNew(what) } : { original: continued };
      return this.#answer(this.#push({ ...base, ...links, response: refusal! }));
    }
    const { account } = card;

    // 8 funds, 9 approve
    if (what === 'verification') return this.#answer(this.#push({ ...base, response: '85' }));
    if (what === 'inquiry') {
      const balances = { ledger: 0 - this.posted(account), available: this.available(account) };
      return this.#answer(this.#push({ ...base, response: '00', balances }));
    }
    const wanted = inAccountCurrency(m, account);
    const single = isFinancial(m);
    if (what === 'credit') {
      const entry = this.#push({ ...base, response: '00', approved: wanted, posted: single });
      if (single) this.#charge(entry, this.#creditOf(entry, account, wanted));
      else this.#hold(entry.sequence, account, wanted, atMs + daysOf(m) * DAY, { refund: true });
      return this.#answer(entry);
    }
    const free = this.available(account);
    if (continued !== undefined) {
      const hold = this.holds.get(continued.sequence)!;
      const total = what === 'increment' ? hold.authorized + wanted : wanted;
      const added = Math.max(total, hold.cleared) - hold.authorized;
      const more = what === 'increment' ? wanted : Math.max(0, wanted - hold.authorized);
      const limited = this.#limited(cardName, more, 0, atMs);
      if (limited) return this.#answer(this.#push({ ...base, response: limited, original: continued }));
      if (added > Math.max(0, free)) {
        return this.#answer(this.#push({ ...base, response: '51', original: continued }));
      }
      this.#set(continued.sequence, hold, total);
      hold.expiresMs = atMs + daysOf(continued.message!) * DAY;
      return this.#answer(this.#push({ ...base, response: '00', approved: wanted, added, original: continued }));
    }
    const isStatusCheck = !single && m.mcc === FUEL.mcc && m.amount === oneMajorUnit(m.currency!);
    const amount = isStatusCheck ? FUEL.amount : wanted;
    const cash = cashOf(m, account);
    const fee = single && cash > 0 ? feeOf(cash) : 0;
    const limited = this.#limited(cardName, amount, 1, atMs);
    if (limited) return this.#answer(this.#push({ ...base, what: 'debit', response: limited }));
    let approved = amount;
    let response = '00';
    if (free < amount + fee) {
      approved = isStatusCheck ? (free >= FUEL.least ? Math.min(amount, free) : 0) : 0;
      const divisible = typeOf(m) === 0 || (typeOf(m) === 9 && m.back !== undefined);
      if (!isStatusCheck && m.partial && divisible) {
        approved = Math.max(0, Math.min(free, amount - cash));
        if (approved > 0 && inMerchantCurrency(m, account, approved) === 0) approved = 0;
        response = '10';
      }
      if (approved === 0) return this.#answer(this.#push({ ...base, what: 'debit', response: '51' }));
    }
    const entry = this.#push({ ...base, what: 'debit', response, approved, posted: single });
    if (!single) this.#hold(entry.sequence, account, approved, atMs + daysOf(m) * DAY);
    else if (response === '10') this.#charge(entry, { purchases: approved, cash: 0, fee: 0, credit: 0 });
    else this.#charge(entry, { purchases: approved - cash, cash, fee, credit: 0 });
    return this.#answer(entry);
  }

  /** The authorization with an open hold that an increment names. */
  #openOf(m: Message, cardName: string, atMs: number): Entry | undefined {
    const named = this.#namedBy(m, cardName, atMs, true);
    if (named === undefined || !approved(named)) return undefined;
    const root = named.original ?? named;
    const hold = this.holds.get(root.sequence);
    return hold === undefined || hold.refund ? undefined : root;
  }

  #hold(sequence: number, account: ModelAccount, amount: number, expiresMs: number, flags: Partial<Hold> = {}): void {
    const open = { account, first: amount, authorized: amount, remaining: amount, cleared: 0, expiresMs };
    this.holds.set(sequence, { ...open, refund: false, ...flags });
    if (flags.refund) this.holds.get(sequence)!.remaining = 0;
  }

  /** What is authorized now; what was cleared stays, and a hold of nothing is none. */
  #set(sequence: number, hold: Hold, total: number): void {
    hold.authorized = Math.max(total, hold.cleared);
    hold.remaining = hold.refund ? 0 : hold.authorized - hold.cleared;
    if (hold.authorized === 0) this.holds.delete(sequence);
  }

  /** Brings what is charged for the authorization of an entry to `now`. */
  #charge(entry: Entry, now: Charged): void {
    const root = entry.original ?? entry;
    const { account } = this.cards.get(entry.card)!;
    const before = this.charged.get(root.sequence) ?? { purchases: 0, cash: 0, fee: 0, credit: 0 };
    account.owes.purchases += now.purchases - before.purchases;
    account.owes.cash += now.cash - before.cash;
    account.owes.fees += now.fee - before.fee;
    account.owes.credit += now.credit - before.credit;
    this.charged.set(root.sequence, now);
  }

  /** A credit goes against what is owed for purchases first. */
  #creditOf(root: Entry, account: ModelAccount, amount: number): Charged {
    const given = Math.min(0, this.charged.get(root.sequence)?.purchases ?? 0);
    const owed = Math.max(0, account.owes.purchases) - given;
    const purchases = Math.min(amount, owed);
    return { purchases: -purchases, cash: 0, fee: 0, credit: -(amount - purchases) };
  }

  /** What an increment added and nothing has taken back. */
  #stillAdded(entry: Entry): number {
    return this.#isUndone(entry) ? 0 : Math.max(0, entry.added);
  }

  #isUndone(entry: Entry): boolean {
    return this.#isReversed(entry) || this.log.some((e) => e.original === entry && e.what === 'roll-back');
  }

  #isReversed(entry: Entry): boolean {
    return this.log.some((e) => e.what === 'reversal' && ((e.original === entry && e.full) || e.takesBack === entry));
  }

  /** The network has decided. */
  #advise(m: Message, account: ModelAccount, base: Partial<Entry> & { atMs: number; card: string }): Entry {
    const type = typeOf(m);
    const isCredit = CREDITS.includes(type);
    const found = this.#namedBy(m, base.card, base.atMs, true);
    // A credit is no completion of a purchase, nor the other way round.
    const named = found && CREDITS.includes(typeOf(found.message!)) === isCredit ? found : undefined;
    const root = named?.original ?? named;
    const links = root === undefined ? {} : { original: root };
    const told = this.#push({ ...base, ...links, response: '00' });
    if (m.why === 'D' || [30, 31, 38].includes(type) || (m.amount === 0 && root === undefined)) return told;
    const amount = inAccountCurrency(m, account);
    if (isFinancial(m)) {
      if (root?.posted && this.#isReversed(root)) return told;
      const cash = cashOf(m, account);
      const fee = cash > 0 ? feeOf(cash) : 0;
      const charged = (root && this.charged.get(root.sequence)) ?? NOTHING;
      // One of several shipments comes on top of the others.
      const earlier = m.fn === 'I' ? charged : NOTHING;
      const now = isCredit
        ? this.#creditOf(root ?? told, account, amount)
        : {
            purchases: earlier.purchases + amount - cash,
            cash: earlier.cash + cash,
            fee: earlier.fee + fee,
            credit: 0,
          };
      told.posted = amount > 0 || charged.purchases !== 0 || charged.cash !== 0 || charged.credit !== 0;
      this.#charge(told, now);
      const hold = root && this.holds.get(root.sequence);
      if (hold) {
        const kept = m.fn === 'I' && !isCredit ? Math.max(0, hold.remaining - amount) : 0;
        hold.cleared = hold.refund ? 0 : Math.abs(now.purchases + now.cash);
        this.#set(root.sequence, hold, hold.refund ? 0 : hold.cleared + kept);
      }
    } else {
      if (root && this.#isReversed(root)) return told;
      if (root?.message?.mcc === FUEL.mcc && this.log.some((e) => e.original === root && e.completes)) return told;
      const hold = root && this.holds.get(root.sequence);
      if (hold) {
        if (hold.refund) return told;
        if (m.fn === 'I') {
          const stands = named && !isNoChange(named) && approves(named.response) && !this.#isUndone(named);
          if (stands) return told;
          this.#set(root.sequence, hold, hold.authorized + amount);
          hold.expiresMs = base.atMs + daysOf(root.message!) * DAY;
        } else this.#set(root.sequence, hold, amount);
      } else {
        const { purchases, cash, credit } = (root && this.charged.get(root.sequence)) ?? NOTHING;
        if (purchases !== 0 || cash !== 0 || credit !== 0 || amount === 0) return told;
        const life = daysOf((root ?? told).message!) * DAY;
        this.#hold((root ?? told).sequence, account, amount, base.atMs + life, { refund: isCredit });
      }
    }
    told.approved = amount;
    told.toldIncrement = root !== undefined && m.fn === 'I' && !isCredit;
    told.added = told.toldIncrement ? amount : 0;
    told.completes = root !== undefined && !told.toldIncrement && m.why !== 'S';
    if (m.de38?.length === 6) told.code = Number(m.de38);
    return told;
  }

  /** The network lists a card. */
  #list(m: Message, card: ModelCard | undefined, base: Partial<Entry> & { atMs: number }): Entry {
    if (card === undefined) return this.#push({ ...base, response: '25' });
    const listed: Record<number, ModelCard['status']> = { 41: 'lost', 43: 'stolen', 46: 'closed', 54: 'expired' };
    const status = m.file === '3' ? 'active' : (listed[m.listing ?? 0] ?? 'paused');
    const final = ['lost', 'stolen', 'closed'].includes(card.status);
    if (final && status !== card.status) return this.#push({ ...base, response: '21' });
    if (status === 'active') delete card.listed;
    else if (status === 'paused' || status === 'expired') card.listed = status;
    else card.status = status;
    return this.#push({ ...base, response: '00' });
  }

  #reverse(m: Message, cardName: string, base: Partial<Entry> & { atMs: number }): Entry {
    const named = this.#namedBy(m, cardName, base.atMs, false);
    if (named === undefined) return this.#push({ ...base, response: '00', tombstone: true });
    const original = named.original ?? named;
    const account = this.cards.get(cardName)?.account;
    const told = { ...base, response: '00', original };
    if (account === undefined) return this.#push({ ...told, full: true });
    const stays = m.de95 ? stayingOf(m.de95, named, account) : 0n;
    const least = (total: number): number => (stays < BigInt(total) ? Number(stays) : total);
    if (named.posted) {
      const before = this.charged.get(original.sequence)!;
      const total = Math.abs(before.purchases + before.cash + before.credit);
      if (named.toldIncrement && !m.de95) {
        const left = Math.max(0, total - this.#stillAdded(named));
        const hold = this.holds.get(original.sequence);
        if (hold) {
          hold.cleared = left;
          this.#set(original.sequence, hold, left + hold.remaining);
        }
        const full = left === 0 && !this.holds.has(original.sequence);
        const entry = this.#push({ ...told, full, takesBack: named });
        this.#charge(entry, reducedBy(before, total - left, left));
        return entry;
      }
      const left = least(total);
      const hold = this.holds.get(original.sequence);
      if (hold) {
        if (!hold.refund) hold.cleared = left;
        this.#set(original.sequence, hold, least(hold.authorized));
      }
      const entry = this.#push({ ...told, full: left === 0 && !this.holds.has(original.sequence) });
      this.#charge(entry, reducedBy(before, total - left, left));
      return entry;
    }
    const hold = this.holds.get(original.sequence);
    const takesBack = isNoChange(named) || m.de95 || !named.original ? {} : { takesBack: named };
    if (hold === undefined) {
      const whole = isNoChange(named) ? named : original;
      const left = takesBack.takesBack ? whole.approved : least(whole.approved);
      return this.#push({
        ...told,
        ...takesBack,
        full: !approves(whole.response) || this.#isUndone(original) || left === 0,
      });
    }
    if (takesBack.takesBack) {
      const total = Math.max(0, hold.authorized - this.#stillAdded(named));
      this.#set(original.sequence, hold, total);
      return this.#push({ ...told, ...takesBack, full: total === 0 });
    }
    const total = least(hold.authorized);
    this.#set(original.sequence, hold, total);
    return this.#push({ ...told, full: total === 0 });
  }

  /**
   * By DE48.63, then complete DE90, then card + DE37 + DE41 (+ DE38), then card + DE11 + DE7; increments and advices may also
   * say DE48.80. Approvals first, then those with the same DE37 and DE41, then authorizations before their increments, then
   * the newest.
   */
  #namedBy(m: Message, cardName: string, atMs: number, continues: boolean): Entry | undefined {
    const candidates = this.log.filter(
      (e) =>
        e.card === cardName &&
        e.message &&
        !['reversal', 'not understood', 'file update'].includes(e.what) &&
        !e.refusedRepeat &&
        atMs - e.atMs <= 121 * DAY,
    );
    const ways = [byNetworkId, byCompleteDe90, byRrn, byGivenStan, byOwnStan];
    if (continues && !m.orig) ways.unshift(byHoldReference);
    for (const way of ways) {
      const named = candidates.filter((e) => way(m, e as Named));
      const best = preferred(named, [approved, (e) => sharesRrn(m, e as Named), isNoChange]);
      if (best !== undefined) return best;
    }
    return undefined;
  }

  #other(atMs: number): void {
    this.#push({ atMs, what: 'other', card: '' });
  }

  #push(entry: Partial<Entry> & { atMs: number }): Entry {
    const full: Entry = {
      sequence: this.log.length + 1,
      what: 'other',
      card: '',
      response: '',
      approved: 0,
      added: 0,
      toldIncrement: false,
      completes: false,
      posted: false,
      refusedRepeat: false,
      tombstone: false,
      full: false,
      ...entry,
    };
    this.log.push(full);
    return full;
  }

  #answer(entry: Entry): Answer {
    const { response, sequence, balances } = entry;
    const answer: Answer = {
      response,
      sequence,
      repeated: false,
      hasCode: isRequest(entry.what) && approves(response),
    };
    if (response === '10') {
      const { account } = this.cards.get(entry.card)!;
      answer.partialAmount = inMerchantCurrency(entry.message!, account, entry.approved);
    }
    if (balances) Object.assign(answer, balances);
    return answer;
  }
}

const approves = (response: string): boolean => response === '00' || response === '10' || response === '85';

const NOTHING: Charged = { purchases: 0, cash: 0, fee: 0, credit: 0 };

const isRequest = (what: Entry['what']): boolean =>
  ['debit', 'increment', 'replacement', 'credit', 'verification', 'inquiry'].includes(what);

/** An increment of nothing we know is decided as a new authorization. */
const asNew = (what: What): What => (what === 'increment' || what === 'replacement' ? 'debit' : what);

const isNoChange = ({ what, toldIncrement }: Entry): boolean =>
  what !== 'increment' && what !== 'replacement' && !toldIncrement;

/** Money was approved, by us or by the network. */
const approved = (e: Entry): boolean => approves(e.response) && (e.what !== 'advice' || e.approved > 0);

/** The newest of those that have most of the qualities, the first quality counting most. */
function preferred(entries: Entry[], qualities: ((e: Entry) => boolean)[]): Entry | undefined {
  let best = entries;
  for (const quality of qualities) {
    const having = best.filter(quality);
    if (having.length > 0) best = having;
  }
  return best.at(-1);
}

/** Processing types of credits to the card. */
const CREDITS = [20, 26, 28];

const isFinancial = (m: Message): boolean => classOf(m.mti) === '2';
const isCreditType = (m: Message): boolean => [20, 26, 28].includes(typeOf(m));
const typeOf = (m: Message): number => Math.trunc((m.pc ?? -10_000) / 10_000);

function whatIs(m: Message): What {
  if ([400, 401, 420, 421].includes(m.mti)) return 'reversal';
  if (m.mti === 302 || m.mti === 303) return 'file update';
  if (![100, 101, 120, 121, 200, 201, 220, 221].includes(m.mti)) return 'not understood';
  const type = typeOf(m);
  if (![0, 1, 9, 10, 11, 17, 20, 26, 28, 30, 31, 38].includes(type)) return 'not understood';
  if (Math.trunc(m.mti / 10) % 10 === 2) return 'advice';
  if (type === 30 || type === 31) return 'inquiry';
  if (type === 38 || m.amount === 0) return 'verification';
  const isCredit = CREDITS.includes(type);
  if (m.fn === 'I' || m.fn === 'R') {
    if (isCredit || isFinancial(m)) return 'not understood';
    return m.fn === 'I' ? 'increment' : 'replacement';
  }
  return isCredit ? 'credit' : 'debit';
}

function isMalformed(m: Message, what: What, accountCurrency: number | undefined): boolean {
  if (m.bad) return true;
  if (what === 'file update') {
    if (m.file === '3') return false;
    return !['1', '2'].includes(m.file ?? '') || ![undefined, 4, 5, 36, 41, 43, 46, 54, 62].includes(m.listing);
  }
  if (['1', '2'].includes(classOf(m.mti)) && m.pc === undefined) return true;
  const toldMoney = what === 'advice' && m.amount !== 0 && ![30, 31, 38].includes(typeOf(m));
  if (!['debit', 'credit', 'increment', 'replacement'].includes(what) && !toldMoney) return false;
  if (m.amount === undefined || m.currency === undefined || (m.back ?? 0) > m.amount) return true;
  if (accountCurrency === undefined || m.currency === accountCurrency) return false;
  return !(m.bill && m.billCurrency === accountCurrency);
}

/** Class, DE11, DE32, DE37, DE41; card and DE7 are compared by the caller. The advice `b` repeats no request. */
function sameKey(a: Message, b: Message): boolean {
  if (whatIs(b) === 'advice' && whatIs(a) !== 'advice') return false;
  return (
    Math.trunc(a.mti / 100) === Math.trunc(b.mti / 100) &&
    a.stan === b.stan &&
    bare(a.acquirer) === bare(b.acquirer) &&
    (a.rrn ?? '') === (b.rrn ?? '') &&
    (a.terminal ?? '') === (b.terminal ?? '')
  );
}

function sameMoney(a: Message, b: Message): boolean {
  if ((a.de95 ?? 0) !== (b.de95 ?? 0)) return false;
  const money = (m: Message): string[] => [
    m.amount ? `${m.amount} ${m.currency}` : 'none',
    m.bill ? `${m.bill} ${m.billCurrency}` : 'none',
  ];
  return money(a).join() === money(b).join();
}

const bare = (institution: string | undefined): string => (institution ?? '').replace(/^0+/, '');

// ---- how a reversal names its original ----

interface Named {
  message: Message;
  code?: number;
}

const byNetworkId = (r: Message, o: Named): boolean => !!r.orig && r.orig === o.message.net;

function byCompleteDe90(r: Message, o: Named): boolean {
  const d = r.de90;
  if (d?.stan === undefined || d.de7 === undefined || !d.acquirer) return false;
  if (bare(d.acquirer) !== bare(o.message.acquirer)) return false;
  if (d.forwarder && bare(d.forwarder) !== bare(o.message.forwarder)) return false;
  return d.stan === o.message.stan && d.de7 === o.message.de7 && classOf(d.mti) === classOf(o.message.mti);
}

const classOf = (mti: number): string => String(mti).padStart(4, '0')[1]!;

const sharesRrn = (r: Message, o: Named): boolean =>
  !!r.rrn && r.rrn === o.message.rrn && (r.terminal ?? '') === (o.message.terminal ?? '');

function byRrn(r: Message, o: Named): boolean {
  if (!sharesRrn(r, o)) return false;
  // The code of an advice is the network's own.
  if (classOf(r.mti) !== '4') return true;
  // All messages of a purchase share the RRN: DE90 or the code may say that another one is meant.
  const d = r.de90;
  if (d?.stan !== undefined && d.de7 !== undefined) {
    if (classOf(d.mti) !== classOf(o.message.mti)) return false;
    if (r.de38 === undefined && d.stan !== o.message.stan && d.de7 !== o.message.de7) return false;
  }
  return r.de38 === undefined || o.code === Number(r.de38);
}

const byHoldReference = (r: Message, o: Named): boolean => !!r.hold && r.hold === o.message.hold;

/** DE90 without a usable acquirer on one of the sides. */
function byGivenStan(r: Message, o: Named): boolean {
  const d = r.de90;
  if (d?.stan !== undefined && d.de7 !== undefined) {
    const acquirersTold = !!d.acquirer && !!o.message.acquirer;
    const same = d.stan === o.message.stan && d.de7 === o.message.de7 && classOf(d.mti) === classOf(o.message.mti);
    if (!acquirersTold && same) return true;
  }
  return false;
}

const byOwnStan = (r: Message, o: Named): boolean => r.stan === o.message.stan && r.de7 === o.message.de7;

/** Whether the reversal would have found this message; the late original has no approval code to compare. */
function names(r: Message, o: Named): boolean {
  const { de38: _unknown, ...withoutCode } = r;
  return [byNetworkId, byCompleteDe90, byRrn, byGivenStan, byOwnStan].some((way) => way(withoutCode, o));
}

// ---- card, money, time ----

function refusalOf(card: ModelCard, m: Message, atMs: number): string | undefined {
  const byStatus = {
    active: undefined,
    inactive: '78',
    paused: '62',
    lost: '41',
    stolen: '43',
    closed: '14',
    expired: '54',
  };
  const status = byStatus[card.status] ?? (card.listed && byStatus[card.listed]);
  if (status) return status;
  if (m.expiry !== undefined && m.expiry !== card.expiry) return '54';
  const endOfMonth = Date.UTC(2000 + Math.trunc(card.expiry / 100), card.expiry % 100, 1);
  if (atMs >= endOfMonth) return '54';
  if (card.account.status === 'frozen') return '62';
  return card.account.status === 'closed' ? '14' : undefined;
}

function inAccountCurrency(m: Message, account: ModelAccount): number {
  return m.currency === account.currency || m.amount === 0 ? m.amount! : m.bill!;
}

/** DE95 in the account's currency, at the rate of the message it names. */
function stayingOf(de95: number, named: Entry, account: ModelAccount): bigint {
  const o = named.message!;
  if (o.currency === account.currency) return BigInt(de95);
  if (!o.amount || !o.bill) return 999_999_999_999n;
  const converted = (BigInt(de95) * BigInt(o.bill) * 2n + BigInt(o.amount)) / (BigInt(o.amount) * 2n);
  const whole = named.original === undefined && de95 >= inMerchantCurrency(o, account, named.approved);
  return whole && converted < named.approved ? BigInt(named.approved) : converted;
}

/** What stays charged when `back` is taken back: purchases before cash, of a refund the credit balance first. */
function reducedBy(before: Charged, back: number, left: number): Charged {
  if (before.purchases + before.cash + before.credit >= 0) {
    const purchases = Math.min(back, before.purchases);
    const cash = before.cash - (back - purchases);
    return { purchases: before.purchases - purchases, cash, fee: left === 0 ? 0 : before.fee, credit: 0 };
  }
  const credit = Math.min(back, -before.credit);
  return { purchases: before.purchases + (back - credit), cash: 0, fee: 0, credit: before.credit + credit };
}

function cashOf(m: Message, account: ModelAccount): number {
  const whole = inAccountCurrency(m, account);
  const type = typeOf(m);
  if ([1, 11, 17].includes(type)) return whole;
  if (![0, 9, 10].includes(type) || !m.back) return 0;
  if (m.currency === account.currency) return m.back;
  const [part, bill, amount] = [BigInt(m.back), BigInt(m.bill!), BigInt(m.amount!)];
  return Math.min(whole, Number((part * bill * 2n + amount) / (amount * 2n)));
}

function feeOf(cash: number): number {
  return MODEL_FEE.flat + Number((BigInt(cash) * BigInt(MODEL_FEE.basisPoints) * 2n + 10_000n) / 20_000n);
}

const oneMajorUnit = (currency: number): number => ({ 392: 1, 414: 1000 })[currency] ?? 100;

function inMerchantCurrency(m: Message, account: ModelAccount, approved: number): number {
  if (m.currency === account.currency) return approved;
  return Number((BigInt(m.amount!) * BigInt(approved)) / BigInt(m.bill!));
}

function daysOf({ mcc = -1, fn, mode, condition = -1 }: Message): number {
  if (mcc === 5542 || mcc === 5552) return 2;
  if (mcc === 7011 || (mcc >= 3501 && mcc <= 3999)) return 30;
  if (mcc === 7512 || (mcc >= 3351 && mcc <= 3441) || mcc === 4411) return 30;
  if (fn === 'E' || condition === 6) return 30;
  const entry = mode === undefined ? '' : String(mode).padStart(3, '0').slice(0, 2);
  if (entry === '10') return condition === 59 ? 10 : 5;
  if (entry === '81') return 10;
  if (['02', '05', '07', '90', '91', '95'].includes(entry)) return 5;
  return [1, 8, 15, 59].includes(condition) ? 10 : 7;
}
