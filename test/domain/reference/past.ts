/** Everything that ever happened, in order, and what is asked of it: what a card has had is searched from one end to the other. */
import type { Balances } from './balances.js';
import { approved, approves, DAY, type Entry, HOUR, isNoChange, isRequest, type ModelAccount } from './entry.js';
import {
  bare,
  isCredit,
  isFinancial,
  isMarkedRepeat,
  isSameDirection,
  isStandIn,
  type Message,
  sameKey,
  sameMoney,
  whatIs,
} from './message.js';
import { cashOf, inAccountCurrency, inMerchantCurrency, stayingOf } from './money.js';
import {
  byCompleteDe90,
  byGivenStan,
  byHoldReference,
  byNetworkId,
  byOwnStan,
  byRrn,
  isByRrnAlone,
  isNamedExactly,
  type Named,
  names,
  sharesRrn,
} from './naming.js';

/** A message can be named for 90 days after the longest life of a hold, and while its hold is open. */
const MATCHABLE_MS = (31 + 90) * DAY;

export class Past {
  readonly log: Entry[] = [];
  /** Card -> the card that it replaces. */
  readonly replaces = new Map<string, string>();
  /** Messages of a card, and its reversals that found nothing, in their order. */
  readonly #ofCard = new Map<string, Entry[]>();
  readonly #tombstones = new Map<string, Entry[]>();
  /** What came later about an entry. */
  readonly #about = new Map<Entry, Entry[]>();

  add(entry: Partial<Entry> & { atMs: number }): Entry {
    const full: Entry = {
      sequence: this.log.length + 1,
      what: 'other',
      card: '',
      response: '',
      approved: 0,
      added: 0,
      toldChange: false,
      completes: false,
      posted: false,
      refusedRepeat: false,
      tombstone: false,
      full: false,
      ...entry,
    };
    this.log.push(full);
    if (full.message) listed(this.#ofCard, full.card).push(full);
    if (full.tombstone) listed(this.#tombstones, full.card).push(full);
    for (const about of new Set([full.original, full.takesBack])) if (about) listed(this.#about, about).push(full);
    return full;
  }

  /** Messages of a card. */
  ofCard(card: string): readonly Entry[] {
    return this.#ofCard.get(card) ?? [];
  }

  /** What came later about an entry. */
  about(entry: Entry): readonly Entry[] {
    return this.#about.get(entry) ?? [];
  }

  /** What this message may repeat: within 24 hours, or without DE7 within 10 minutes when it says that it is a repeat. */
  repeated(m: Message, card: string, atMs: number): { stored?: Entry | undefined; isKnown: boolean } {
    const same = this.ofCard(card).filter((e) => e.what !== 'not understood' && sameKey(e.message!, m));
    const among = (entries: readonly Entry[]): readonly Entry[] => {
      const past = entries.filter((e) => e.message!.de7 === m.de7 && atMs - e.atMs <= 24 * HOUR);
      return past.length === 0 && isMarkedRepeat(m) ? entries.filter((e) => atMs - e.atMs <= HOUR / 6) : past;
    };
    // A request repeats a decision of ours first, then an advice that held or posted something.
    const isTold = (one: Message): boolean => whatIs(one) === 'advice';
    let past = among(same.filter((e) => isTold(e.message!) === isTold(m)));
    if (past.length === 0 && !isTold(m)) past = among(same.filter((e) => isTold(e.message!) && e.approved > 0));
    return { isKnown: past.length > 0, stored: past.findLast((e) => sameMoney(e.message!, m)) };
  }

  /** An approval that does not stand any more. @param by what asks; an advice is answered as it was */
  isGone(stored: Entry, by = stored.what): boolean {
    if (!approves(stored.response) || !isRequest(by)) return false;
    return this.isUndone(stored) || (stored.original !== undefined && this.isReversed(stored.original));
  }

  /** A reversal of the last 24 hours found no original, and names this message. */
  reversedBefore(m: Message, card: string, atMs: number): Entry | undefined {
    const tombstones = this.#tombstones.get(card) ?? [];
    return tombstones.findLast(
      (e) =>
        atMs - e.atMs <= 24 * HOUR &&
        names(e.message!, { message: m }) &&
        !(e.original && whatIs(m) === 'advice') &&
        !isSentBehind(m, e.message!),
    );
  }

  /**
   * By DE48.63, then complete DE90, then card + DE37 + DE41 (+ DE38), then card + DE11 + DE7; increments and advices may also
   * say DE48.80. Those with the STAN and DE7 first, then those of its direction, then approvals, then those with the same DE37 and DE41, then authorizations before their increments, then
   * the newest.
   */
  namedBy(
    m: Message,
    card: string,
    atMs: number,
    continues: boolean,
    { holds, ends }: Pick<Balances, 'holds' | 'ends'>,
  ): Entry | undefined {
    const isOpen = ({ sequence }: Entry): boolean => holds.has(sequence);
    const endedOfLate = ({ sequence }: Entry): boolean => atMs - (ends.get(sequence) ?? 0) <= 90 * DAY;
    const candidatesOf = (of: string): Entry[] =>
      this.ofCard(of).filter(
        (e) =>
          !['reversal', 'not understood', 'file update'].includes(e.what) &&
          !e.refusedRepeat &&
          (atMs - e.atMs <= MATCHABLE_MS || isOpen(e.original ?? e) || endedOfLate(e.original ?? e)),
      );
    const ways = [byNetworkId, byCompleteDe90, byRrn, byGivenStan, byOwnStan];
    if (continues && !m.orig) ways.unshift(byHoldReference);
    for (const way of ways) {
      // Of an increment by the new number the authorization may stand on the old one.
      let of: Entry[] = [];
      let best: Entry | undefined;
      for (const one of this.chainOf(card)) {
        const named = candidatesOf(one).filter(
          (e) => way(m, e as Named) && !(way === byRrn && isSentBehind(e.message!, m)),
        );
        of = [...named, ...of];
        const isExact = (e: Entry): boolean => byGivenStan(m, e as Named) || byOwnStan(m, e as Named);
        const isWhole = (e: Entry): boolean => isNoChange(e) && !isToldOf(e);
        const isOfItsDirection = (e: Entry): boolean => isSameDirection(m, e.message!);
        best = preferred(of, [isExact, isOfItsDirection, approved, (e) => sharesRrn(m, e as Named), isWhole]);
        if (best && isWhole(best)) break;
      }
      if (best !== undefined) return best;
    }
    return undefined;
  }

  /** The card and those that it replaces, the newest first, of which four can be asked. */
  chainOf(card: string): string[] {
    const chain = [card];
    for (let old = this.replaces.get(card); old !== undefined && chain.length < 4; old = this.replaces.get(old))
      chain.push(old);
    return chain;
  }

  /** The increment or replacement that the advice tells of: the one that we were asked for with all its numbers, or the one that it names. */
  changeTold(m: Message, card: string, named: Entry): Entry | undefined {
    if (m.fn !== 'I' && m.fn !== 'R') return undefined;
    const isOfSort = ({ what, message }: Entry): boolean => isRequest(what) && message!.fn === m.fn;
    for (const one of this.chainOf(card)) {
      const own = this.ofCard(one).findLast(
        (e) => isRequest(e.what) && !e.refusedRepeat && hasNumbersOf(e.message!, m),
      );
      if (own && (own.original ?? own) === (named.original ?? named) && isOfSort(own)) return own;
      if (own) break;
    }
    if (!isNamedExactly(m, named as Named)) return undefined;
    if (isOfSort(named)) return named;
    const isToldToo = m.fn === named.message!.fn && !isFinancial(named.message!) && approved(named);
    if (!isToldToo || !(named.toldChange || isChangeOfUnknown(named))) return undefined;
    return named.tells ?? named;
  }

  /**
   * What the authorization amounts to by the words of its elements.
   * What the network tells of a decision of ours takes the place of our word, wherever in the order it comes.
   */
  totalOf(
    root: Entry,
    account: ModelAccount,
    { told, undelivered, before, until = Infinity, money = inAccount(account) }: Supposed = {},
  ): Sum {
    const elements = this.about(root).filter((e) => e.original === root && e !== before && e.sequence < until);
    const isLost = (e: Entry): boolean => e === undelivered || this.isRolledBack(e);
    const advices = elements.filter((e) => e.isDecided);
    const said = (e: Entry): Word => ({ amount: money.approved(e), cash: cashSaid(e, account) });
    const words: Told[] = advices.map((e) => ({ message: e.message!, ...said(e), of: e.tells }));
    if (told) words.push(told);
    const inStandIn = words.findLast(({ message }) => isStandIn(message));
    const wordOf = (e: Entry): Told | undefined => words.findLast(({ of }) => of === e);

    let total = 0;
    /** What of it is cash, and what of that is of parts. */
    let cash = 0;
    let cashOfParts = 0;
    let isFinal = false;
    let isReleased = false;
    const added = new Map<Entry, number>();
    /** What 0220s have posted as parts, what all have posted of a hold, and what files have charged. */
    const parts = new Map<Entry, number>();
    let posted = 0;
    let cleared = 0;
    /** The first of these in the acquirer's money, as messages tell it. */
    let postedAsTold = 0;
    /** Whose rate DE95 is turned by. */
    let rated = root.message!;
    const isUnknown = isChangeOfUnknown(root);
    // A 0220 of a hold tells its final amount.
    const beneath =
      isFinancial(root.message!) || !(inStandIn && isFinancial(inStandIn.message)) ? inStandIn : undefined;
    const isSingle = isUnknown ? beneath !== undefined && isFinancial(beneath.message) : isFinancial(root.message!);
    const ofHold = (): number => (money.isAcquirers ? postedAsTold : posted);
    const charged = (): number => (isSingle ? 0 : ofHold()) + money.converted(cleared);
    const lowerTo = (to: number): void => {
      const above = Math.max(0, total - to);
      total -= above;
      takeNewest(isSingle ? [added, parts] : [added], above);
    };
    const lowerPartsTo = (to: number): void => {
      const all = [...parts.values()].reduce((sum, part) => sum + part, 0);
      takeNewest([parts], all - to);
    };
    const become = (word: Word): void => {
      total = word.amount;
      ({ cash } = word);
    };
    const onTop = (word: Word): Word => ({ amount: total + word.amount, cash: cash + word.cash });
    const change = (e: Entry, to: Word): void => {
      lowerTo(to.amount);
      added.set(e, Math.max(0, to.amount - total));
      become(to);
    };
    // What stands in the acquirer's money is told once more from the beginning.
    const stayingBy = (m: Message, part?: Entry, until?: number): bigint => {
      const asked = (): number => {
        const acquirers = inAcquirers(root, account);
        const toldToo = told && { ...told, amount: acquirers.told(told.message, told.amount) };
        const sum = this.totalOf(root, account, {
          ...(toldToo && { told: toldToo }),
          ...(undelivered && { undelivered }),
          ...(before && { before }),
          ...(until && { until }),
          money: acquirers,
        });
        return part ? (sum.parts.get(part) ?? 0) : sum.total;
      };
      const isCompared = m.currency !== account.currency && root.message!.currency !== account.currency;
      const authorized = isCompared && !money.isAcquirers ? asked() : 0;
      return money.staying(m, stayingOf(m, part?.message ?? rated, authorized, root, account));
    };
    const take = (e: Entry): void => {
      posted = e.chargedAfter ?? posted;
      if (e.what === 'expiry') {
        total = charged();
        added.clear();
      } else if (e.presents) {
        const before = charged();
        cleared = Math.max(0, cleared + e.presents.amount);
        if (e.presents.amount < 0) total = Math.max(0, total + charged() - before);
        else if (e.presents.isLast) total = charged();
        isReleased = e.presents.amount >= 0 && e.presents.isLast;
      } else if (isRequest(e.what)) {
        const word = wordOf(e) ?? (approves(e.response) && !isLost(e) ? said(e) : undefined);
        if (word !== undefined) change(e, e.message!.fn === 'I' ? onTop(word) : word);
      } else if (e.what === 'advice' && (e.isDecided || e.approved > 0)) {
        const m = e.message!;
        const isIncrement = m.fn === 'I' && !isCredit(m);
        if (isFinancial(m) && isIncrement) {
          if (isSingle) become(onTop(said(e)));
          parts.set(e, money.approved(e));
          postedAsTold += money.approved(e);
          cashOfParts += cashSaid(e, account);
        } else if (isFinancial(m)) {
          if (!isStandIn(m) || (!isSingle && !e.isKnown)) {
            lowerTo(money.approved(e));
            if (!isSingle) lowerPartsTo(money.approved(e));
            become(said(e));
            if (m.currency === root.message!.currency) rated = m;
            postedAsTold = money.approved(e);
            cashOfParts = 0;
            isFinal = true;
          }
        } else if (!isStandIn(m) && !e.tells && !isSingle) {
          const word = wordOf(e) ?? said(e);
          change(e, isIncrement ? onTop(word) : word);
        }
      } else if (e.what === 'reversal') {
        const isPartial = (e.message!.de95 ?? 0) > 0;
        if (e.takesBack) {
          const part = parts.get(e.takesBack) ?? added.get(e.takesBack) ?? 0;
          const kept = isPartial ? least(stayingBy(e.message!, e.takesBack, e.sequence), part) : 0;
          total = Math.max(0, total - (part - kept));
          if (parts.has(e.takesBack)) postedAsTold = Math.max(0, postedAsTold - (part - kept));
          if (kept > 0) parts.set(e.takesBack, kept);
          else {
            parts.delete(e.takesBack);
            added.delete(e.takesBack);
          }
        } else if (isPartial) {
          const stays = least(stayingBy(e.message!, undefined, e.sequence), Number.MAX_SAFE_INTEGER);
          lowerTo(stays);
          postedAsTold = Math.min(postedAsTold, stays);
          if (!isSingle && e.postedBack) lowerPartsTo(stays);
        } else {
          total = 0;
          postedAsTold = 0;
          added.clear();
          if (isSingle || e.postedBack) parts.clear();
        }
      }
      total = Math.max(total, charged());
      cash = Math.min(cash, total);
      cashOfParts = Math.min(cashOfParts, cash);
    };

    const ours = approved(root) && !isLost(root) ? said(root) : NO_WORD;
    if (isUnknown) {
      become(beneath ?? NO_WORD);
      if (isRequest(root.what) || approved(root)) take(root);
    } else if (!inStandIn || !(isRequest(root.what) || isStandIn(root.message!))) become(ours);
    else {
      const isSameCheck =
        isRequest(root.what) && ours.amount > inStandIn.amount && inStandIn.amount === money.asked(root.message!);
      become(isSameCheck ? ours : inStandIn);
    }
    for (const e of elements) take(e);
    return { total, cash, cashOfParts, added, parts, isFinal, isReleased, stayingBy };
  }

  /** Anything of the same card with the same DE37 and DE41. */
  sharesRrn(m: Message, card: string): boolean {
    return this.ofCard(card).some((e) => e.what !== 'reversal' && sharesRrn(m, e as Named));
  }

  /** What a reversal takes back of what a change, or a part, added and nothing has taken back. */
  takenBack(entry: Entry, m: Message, account: ModelAccount, money?: Money): number {
    const sum = this.totalOf(entry.original ?? entry, account, money ? { money } : {});
    if (!isFinancial(entry.message!)) return sum.added.get(entry) ?? 0;
    const part = sum.parts.get(entry) ?? 0;
    return m.de95 ? part - least(sum.stayingBy(m, entry), part) : part;
  }

  /** All of the authorization was reversed. */
  isWhollyReversed(root: Entry): boolean {
    return this.reversalOf(root) !== undefined;
  }

  reversalOf(root: Entry): Entry | undefined {
    const came = this.about(root).findLast((e) => e.what === 'reversal' && e.original === root && e.full);
    return root.reversedBefore ?? came;
  }

  isUndone(entry: Entry): boolean {
    return this.isReversed(entry) || this.isRolledBack(entry);
  }

  isRolledBack(entry: Entry): boolean {
    return this.about(entry).some((e) => e.original === entry && e.what === 'roll-back');
  }

  isReversed(entry: Entry): boolean {
    return this.about(entry).some(
      (e) => e.what === 'reversal' && ((e.original === entry && e.full) || e.takesBack === entry),
    );
  }

  isCompleted(root: Entry): boolean {
    return this.about(root).some((e) => e.original === root && e.completes);
  }

  isExpired(root: Entry): boolean {
    return this.about(root).some((e) => e.original === root && e.what === 'expiry');
  }
}

/** The money that an authorization is told in. */
interface Money {
  isAcquirers?: boolean;
  /** What an advice tells. @param inAccount the same in the account's currency */
  told(m: Message, inAccount: number): number;
  asked(m: Message): number;
  approved(e: Entry): number;
  /** @param inAccount the same in the account's currency */
  staying(m: Message, inAccount: bigint): bigint;
  converted(amount: number): number;
}

const inAccount = (account: ModelAccount): Money => ({
  asked: (m) => inAccountCurrency(m, account),
  approved: (e) => e.approved,
  told: (_, told) => told,
  staying: (_, staying) => staying,
  converted: (amount) => amount,
});

/** That of the acquirer: DE4 in DE49, which the approved part of a partial approval has as well. */
export function inAcquirers(root: Entry, account: ModelAccount): Money {
  const { amount = 0, currency } = root.message!;
  const billed = BigInt(inAccountCurrency(root.message!, account) ?? 0);
  const converted = (told: bigint): bigint =>
    billed === 0n ? told : (told * BigInt(amount) * 2n + billed) / (billed * 2n);
  return {
    isAcquirers: true,
    told: (m, told) => (m.currency === currency ? m.amount! : Number(converted(BigInt(told)))),
    asked: (m) => m.amount ?? 0,
    approved: (e) => (e.message!.currency === currency ? countedOf(e, account) : Number(converted(BigInt(e.approved)))),
    staying: (m, staying) =>
      m.currency === undefined || m.currency === currency ? BigInt(m.de95!) : converted(staying),
    converted: (told) => Number(converted(BigInt(Math.max(0, told)))),
  };
}

/** What a message says that it approved, in its DE49. */
export const countedOf = (e: Entry, account: ModelAccount): number =>
  e.response === '10' ? inMerchantCurrency(e.message!, account, e.approved) : (e.message!.amount ?? 0);

/** Takes so much out of the amounts of entries, the newest first. */
function takeNewest(amounts: readonly Map<Entry, number>[], much: number): void {
  let left = Math.max(0, much);
  const newest = amounts.flatMap((of) => [...of.keys()].map((entry) => ({ of, entry })));
  for (const { of, entry } of newest.sort((a, b) => b.entry.sequence - a.entry.sequence)) {
    const back = Math.min(of.get(entry)!, left);
    of.set(entry, of.get(entry)! - back);
    left -= back;
  }
}

const least = (a: bigint, b: number): number => (a < BigInt(b) ? Number(a) : b);

export interface Word {
  amount: number;
  /** What of it is cash. */
  cash: number;
}
const NO_WORD: Word = { amount: 0, cash: 0 };

/** What an authorization amounts to. */
interface Sum {
  total: number;
  cash: number;
  cashOfParts: number;
  /** By the changes, and by the 0220s that posted parts, what nothing has taken back. */
  added: Map<Entry, number>;
  parts: Map<Entry, number>;
  isFinal: boolean;
  /** A file released the rest. */
  isReleased: boolean;
  /** What stays by a reversal with DE95, of all or of a part. */
  stayingBy: (m: Message, part?: Entry) => bigint;
}

/** No cash back is paid with a partial approval. */
const cashSaid = (e: Entry, account: ModelAccount): number =>
  e.response === '10' ? 0 : Math.min(e.approved, cashOf(e.message!, account));

/** What would be, if. */
interface Supposed {
  /** One more advice. */
  told?: Told;
  /** Its reply could not be sent. */
  undelivered?: Entry;
  /** It had not come yet; nor what has this sequence or a later one. */
  before?: Entry;
  until?: number;
  money?: Money;
}

/** What one advice says. */
export interface Told extends Word {
  message: Message;
  /** The change that it tells of. */
  of?: Entry | undefined;
}

/** A 0120 that told of an authorization or of a change of it. */
const isToldOf = (e: Entry): boolean => e.isDecided === true && e.original !== undefined && !isFinancial(e.message!);

/** An increment, a replacement or a part of an authorization that was not known when it came. */
export const isChangeOfUnknown = ({ original, what, message }: Entry): boolean =>
  original === undefined &&
  (what === 'debit' || what === 'advice') &&
  (message!.fn === 'I' || message!.fn === 'R') &&
  !isCredit(message!);

const hasNumbersOf = (a: Message, b: Message): boolean =>
  a.stan === b.stan && a.de7 === b.de7 && bare(a.acquirer) === bare(b.acquirer) && sharesRrnOrNone(a, b);
const sharesRrnOrNone = (a: Message, b: Message): boolean =>
  (a.rrn ?? '') === (b.rrn ?? '') && (a.terminal ?? '') === (b.terminal ?? '');

/** A message that was sent behind the reversal that names it by DE37 and DE41 alone. */
const isSentBehind = (m: Message, reversal: Message): boolean =>
  whatIs(reversal) === 'reversal' &&
  sharesRrn(reversal, { message: m }) &&
  isByRrnAlone(reversal, { message: m }) &&
  !byGivenStan(reversal, { message: m }) &&
  isSentLater(m, reversal);

/** One that is sent again may have got a new DE7. */
export const isSentLater = (m: Message, reversal: Message): boolean =>
  !isMarkedRepeat(m) && isLater(m.de7, reversal.de7);

/** DE7 has no year: the later of two that are less than half a year apart. */
function isLater(de7: number, other: number): boolean {
  const ahead = de7 - other;
  return ahead > 0 ? ahead < SIX_MONTHS : ahead < -SIX_MONTHS;
}

/** As DE7 counts: MMDDhhmmss. */
const SIX_MONTHS = 600_000_000;

function listed<K>(lists: Map<K, Entry[]>, key: K): Entry[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** The newest of those that have most of the qualities, the first quality counting most. */
function preferred(entries: Entry[], qualities: ((e: Entry) => boolean)[]): Entry | undefined {
  let best = entries;
  for (const quality of qualities) {
    const having = best.filter(quality);
    if (having.length > 0) best = having;
  }
  return best.at(-1);
}
