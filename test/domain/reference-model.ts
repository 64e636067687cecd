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
  bad?: number;
}

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
  expiry: number;
}

interface Hold {
  account: ModelAccount;
  first: number;
  authorized: number;
  remaining: number;
  expiresMs: number;
}

type What = 'purchase or cash' | 'verification' | 'inquiry' | 'reversal' | 'not understood';

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
  original?: Entry;
  /** Reversal: nothing of the original stays authorized. */
  full: boolean;
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
  readonly holds = new Map<number, Hold>();
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

  notDelivered(sequence: number, atMs: number): boolean {
    const entry = this.log[sequence - 1]!;
    if (!entry.message || entry.what === 'reversal' || !approves(entry.response)) return false;
    if (this.log.some((e) => e.what === 'roll-back' && e.original === entry)) return false;
    this.holds.delete(sequence);
    this.#push({ atMs, what: 'roll-back', card: entry.card, original: entry });
    return true;
  }

  // ---- messages ----

  message(m: Message, cardName: string, atMs: number): Answer {
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
      const undone = log.some(
        (e) => e.original === stored && (e.what === 'roll-back' || (e.what === 'reversal' && e.full)),
      );
      if (approves(stored.response) && stored.what !== 'reversal' && undone) {
        return this.#answer(this.#push({ ...base, response: '68', refusedRepeat: true }));
      }
      return { ...this.#answer(stored), repeated: true };
    }
    if (what === 'reversal') return this.#answer(this.#reverse(m, cardName, base));

    // 3 tombstone
    const reversedBefore = log.some(
      (e) => e.tombstone && e.card === cardName && atMs - e.atMs <= 24 * HOUR && names(e.message!, { message: m }),
    );
    if (reversedBefore) return this.#answer(this.#push({ ...base, response: '68' }));

    // 4 card and account
    const refusal = card === undefined ? '14' : refusalOf(card, m, atMs);
    if (card === undefined || refusal !== undefined) return this.#answer(this.#push({ ...base, response: refusal! }));
    const { account } = card;

    // 8 funds, 9 approve
    if (what === 'verification') return this.#answer(this.#push({ ...base, response: '85' }));
    if (what === 'inquiry') {
      const balances = { ledger: 0 - this.posted(account), available: this.available(account) };
      return this.#answer(this.#push({ ...base, response: '00', balances }));
    }
    const wanted = m.currency === account.currency ? m.amount! : m.bill!;
    const free = this.available(account);
    let approved = wanted;
    let response = '00';
    if (free < wanted) {
      if (!(m.partial && m.pc! < 10_000 && free > 0) || inMerchantCurrency(m, account, free) === 0) {
        return this.#answer(this.#push({ ...base, response: '51' }));
      }
      approved = free;
      response = '10';
    }
    const entry = this.#push({ ...base, response, approved });
    const hold = { account, first: approved, authorized: approved, remaining: approved };
    this.holds.set(entry.sequence, { ...hold, expiresMs: atMs + daysOf(m) * DAY });
    return this.#answer(entry);
  }

  #reverse(m: Message, cardName: string, base: Partial<Entry> & { atMs: number }): Entry {
    const original = this.#originalOf(m, cardName, base.atMs);
    if (original === undefined) return this.#push({ ...base, response: '00', tombstone: true });
    const hold = this.holds.get(original.sequence);
    if (hold === undefined) return this.#push({ ...base, response: '00', original, full: true });
    let total = 0;
    if (m.de95) {
      const o = original.message!;
      const stays =
        o.currency === hold.account.currency
          ? BigInt(m.de95)
          : m.de95 >= inMerchantCurrency(o, hold.account, original.approved)
            ? BigInt(hold.authorized)
            : (BigInt(m.de95) * BigInt(o.bill!) * 2n + BigInt(o.amount!)) / (BigInt(o.amount!) * 2n);
      total = stays < BigInt(hold.authorized) ? Number(stays) : hold.authorized;
    }
    const cleared = hold.authorized - hold.remaining;
    hold.authorized = total;
    hold.remaining = Math.max(0, total - cleared);
    if (hold.remaining === 0) this.holds.delete(original.sequence);
    return this.#push({ ...base, response: '00', original, full: total === 0 });
  }

  /**
   * By DE48.63, then complete DE90, then card + DE37 + DE41 (+ DE38), then card + DE11 + DE7; approvals
   * first, then those with the same DE37 and DE41, then the newest. */
  #originalOf(m: Message, cardName: string, atMs: number): Entry | undefined {
    const candidates = this.log.filter(
      (e) =>
        e.card === cardName &&
        (e.what === 'purchase or cash' || e.what === 'verification' || e.what === 'inquiry') &&
        !e.refusedRepeat &&
        atMs - e.atMs <= 121 * DAY,
    );
    const ways = [byNetworkId, byCompleteDe90, byRrn, byGivenStan, byOwnStan];
    for (const way of ways) {
      const named = candidates.filter((e) => way(m, e as Named));
      const approved = named.filter((e) => approves(e.response));
      const best = approved.length > 0 ? approved : named;
      const found = best.findLast((e) => sharesRrn(m, e as Named)) ?? best.at(-1);
      if (found !== undefined) return found;
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
      hasCode: entry.what !== 'reversal' && approves(response),
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

function whatIs(m: Message): What {
  if ([400, 401, 420, 421].includes(m.mti)) return 'reversal';
  if (m.mti !== 100 && m.mti !== 101) return 'not understood';
  const type = m.pc === undefined ? undefined : Math.trunc(m.pc / 10_000);
  if (type === 38) return 'verification';
  if (type === 30 || type === 31) return 'inquiry';
  if (type === 0 || type === 1 || type === 17) return m.amount === 0 ? 'verification' : 'purchase or cash';
  return 'not understood';
}

function isMalformed(m: Message, what: What, accountCurrency: number | undefined): boolean {
  if (m.bad) return true;
  if ((m.mti === 100 || m.mti === 101) && m.pc === undefined) return true;
  if (what !== 'purchase or cash') return false;
  if (m.amount === undefined || m.currency === undefined) return true;
  if (accountCurrency === undefined || m.currency === accountCurrency) return false;
  return !(m.bill && m.billCurrency === accountCurrency);
}

/** Class, DE11, DE32, DE37, DE41; card and DE7 are compared by the caller. */
function sameKey(a: Message, b: Message): boolean {
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
  return r.de38 === undefined || o.code === Number(r.de38);
}

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
  const status = byStatus[card.status];
  if (status) return status;
  if (m.expiry !== undefined && m.expiry !== card.expiry) return '54';
  const endOfMonth = Date.UTC(2000 + Math.trunc(card.expiry / 100), card.expiry % 100, 1);
  if (atMs >= endOfMonth) return '54';
  if (card.account.status === 'frozen') return '62';
  return card.account.status === 'closed' ? '14' : undefined;
}

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
