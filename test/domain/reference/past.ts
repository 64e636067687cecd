/** Everything that ever happened, in order, and what is asked of it: what a card has had is searched from one end to the other. */
import type { Balances } from './balances.js';
import { approved, approves, DAY, type Entry, HOUR, isNoChange, isRequest, type ModelAccount } from './entry.js';
import { bare, isFinancial, isMarkedRepeat, isStandIn, type Message, sameKey, sameMoney, whatIs } from './message.js';
import { inAccountCurrency } from './money.js';
import {
  byCompleteDe90,
  byGivenStan,
  byHoldReference,
  byNetworkId,
  byOwnStan,
  byRrn,
  isByRrnAlone,
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
      toldIncrement: false,
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
  wasReversedBefore(m: Message, card: string, atMs: number): boolean {
    const tombstones = this.#tombstones.get(card) ?? [];
    return tombstones.some(
      (e) =>
        atMs - e.atMs <= 24 * HOUR &&
        names(e.message!, { message: m }) &&
        !(e.original && whatIs(m) === 'advice') &&
        !isSentBehind(m, e.message!),
    );
  }

  /**
   * By DE48.63, then complete DE90, then card + DE37 + DE41 (+ DE38), then card + DE11 + DE7; increments and advices may also
   * say DE48.80. Approvals first, then those with the same DE37 and DE41, then authorizations before their increments, then
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
        best = preferred(of, [approved, (e) => sharesRrn(m, e as Named), isNoChange]);
        if (best && isNoChange(best)) break;
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

  /** The increment or replacement that was approved and that the advice tells of: ours with all its numbers, or the one that it names. */
  changeTold(m: Message, card: string, root: Entry, named: Entry | undefined): Entry | undefined {
    if (m.fn !== 'I' && m.fn !== 'R') return undefined;
    const what = m.fn === 'I' ? 'increment' : 'replacement';
    for (const one of this.chainOf(card)) {
      const own = this.ofCard(one).findLast(
        (e) => isRequest(e.what) && approves(e.response) && hasNumbersOf(e.message!, m),
      );
      if (own?.original === root && own.what === what) return own;
      if (own) break;
    }
    if (named?.original !== root || !approves(named.response)) return undefined;
    if (named.what === what) return named;
    return m.fn === 'I' && named.toldIncrement && !isFinancial(named.message!) ? (named.tells ?? named) : undefined;
  }

  /**
   * What the authorization amounts to by the words of its elements. `told` is one more advice; the reply of `undelivered` could not be sent.
   * What the network tells of a decision of ours takes the place of our word, wherever in the order it comes.
   */
  totalOf(root: Entry, account: ModelAccount, told?: Told, undelivered?: Entry): { total: number; isDecided: boolean } {
    const elements = this.about(root).filter((e) => e.original === root || e.what === 'roll-back' || e.takesBack);
    const lost = new Set(elements.filter((e) => e.what === 'roll-back').map((e) => e.original));
    if (undelivered) lost.add(undelivered);
    for (const e of elements) if (isOwnChange(e, root) && this.isRolledBack(e)) lost.add(e);
    const lostAt = this.about(root).find((e) => e.what === 'roll-back' && e.original === root)?.sequence;
    const rootLostAt = undelivered === root ? Number.POSITIVE_INFINITY : (lostAt ?? 0);
    const advices = elements.filter((e) => e.what === 'advice' && e.original === root && e.approved > 0);
    const words: Told[] = advices.map((e) => ({ message: e.message!, amount: e.approved, of: e.tells }));
    if (told) words.push(told);
    const inStandIn = words.findLast(({ message }) => isStandIn(message))?.amount;
    const wordOf = (e: Entry): number | undefined => words.findLast(({ of }) => of === e)?.amount;

    const isOwn = isRequest(root.what);
    const ours = approved(root) && (!isOwn || !lost.has(root)) ? root.approved : 0;
    let isDecided = ours > 0;
    let total = ours;
    if (inStandIn !== undefined && (isOwn || isStandIn(root.message!))) {
      isDecided = true;
      const isSameCheck = isOwn && ours > inStandIn && inStandIn === inAccountCurrency(root.message!, account);
      total = isSameCheck ? ours : inStandIn;
    }
    const added = new Map<Entry, number>();
    /** What 0220s have posted as parts. */
    const parts = new Map<Entry, number>();
    const add = (e: Entry, amount: number): void => {
      total += amount;
      added.set(e, Math.max(0, amount));
    };
    for (const e of elements) {
      if (e.what === 'expiry') {
        total = 0;
        added.clear();
      } else if (isOwnChange(e, root)) {
        const isLost = lost.has(e) || e.sequence < rootLostAt;
        const amount = wordOf(e) ?? (isLost ? undefined : e.approved);
        if (amount !== undefined) add(e, e.what === 'increment' ? amount : amount - total);
      } else if (e.what === 'advice' && e.original === root && e.approved > 0) {
        const m = e.message!;
        isDecided = true;
        if (isFinancial(m)) {
          if (e.toldIncrement) {
            if (isFinancial(root.message!)) total += e.approved;
            parts.set(e, e.approved);
          } else if (!isStandIn(m) || (!isFinancial(root.message!) && !e.isKnown)) total = e.approved;
        } else if (!isStandIn(m) && !e.tells) {
          const amount = wordOf(e) ?? e.approved;
          add(e, e.toldIncrement ? amount : amount - total);
        }
      } else if (e.what === 'reversal' && e.original === root) {
        if (e.ceiling !== undefined) total = e.ceiling < BigInt(total) ? Number(e.ceiling) : total;
        else if (e.takesBack) {
          total = Math.max(0, total - (parts.get(e.takesBack) ?? added.get(e.takesBack) ?? 0));
          parts.delete(e.takesBack);
          added.delete(e.takesBack);
        } else {
          total = 0;
          added.clear();
          if (isFinancial(root.message!)) parts.clear();
        }
      }
    }
    this.#added = added;
    return { total, isDecided };
  }

  #added = new Map<Entry, number>();

  /** Anything of the same card with the same DE37 and DE41. */
  sharesRrn(m: Message, card: string): boolean {
    return this.ofCard(card).some((e) => e.what !== 'reversal' && sharesRrn(m, e as Named));
  }

  /** What a change, or a part, added and nothing has taken back. */
  stillAdded(entry: Entry, account: ModelAccount): number {
    if (isFinancial(entry.message!)) return this.isUndone(entry) ? 0 : entry.added;
    this.totalOf(entry.original!, account);
    return this.#added.get(entry) ?? 0;
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

/** What one advice says. */
export interface Told {
  message: Message;
  amount: number;
  /** The change that it tells of. */
  of?: Entry | undefined;
}

const isOwnChange = (e: Entry, root: Entry): boolean =>
  e.original === root && (e.what === 'increment' || e.what === 'replacement') && approves(e.response);
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
  !isMarkedRepeat(m) &&
  isLater(m.de7, reversal.de7);

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
