/** Everything that ever happened, in order, and what is asked of it: what a card has had is searched from one end to the other. */
import type { Balances } from './balances.js';
import { approved, approves, DAY, type Entry, HOUR, isNoChange, isRequest } from './entry.js';
import { hasSameNumbers, isMarkedRepeat, isStandIn, type Message, sameKey, sameMoney, whatIs } from './message.js';
import {
  byCompleteDe90,
  byGivenStan,
  byHoldReference,
  byNetworkId,
  byOwnStan,
  byRrn,
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
        !(e.original && isLater(m.de7, e.message!.de7)),
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
    // Those of the nearest card last.
    const ofChain = this.chainOf(card)
      .reverse()
      .flatMap((one) => this.ofCard(one));
    const candidates = ofChain.filter(
      (e) =>
        !['reversal', 'not understood', 'file update'].includes(e.what) &&
        !e.refusedRepeat &&
        (atMs - e.atMs <= MATCHABLE_MS || isOpen(e.original ?? e) || endedOfLate(e.original ?? e)),
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

  /** The card and those that it replaces, the newest first, of which four can be asked. */
  chainOf(card: string): string[] {
    const chain = [card];
    for (let old = this.replaces.get(card); old !== undefined && chain.length < 4; old = this.replaces.get(old))
      chain.push(old);
    return chain;
  }

  /** The newest approval of ours for this authorization that has all the numbers of the advice. */
  toldBy(m: Message, card: string, root: Entry): Entry | undefined {
    const told = this.ofCard(card).findLast(
      (e) => isRequest(e.what) && approves(e.response) && e.message!.de7 === m.de7 && hasSameNumbers(e.message!, m),
    );
    return told && (told.original ?? told) === root ? told : undefined;
  }

  /**
   * What was decided for the authorization itself, whatever came later: by the newest advice in stand-in, else by us when that stands, else
   * as much as `amount` when another advice has told what became of it.
   */
  decidedBefore(root: Entry, amount: number): number {
    const told = this.about(root).filter(
      (e) => e.original === root && e.what === 'advice' && !e.toldIncrement && e.approved > 0,
    );
    const inStandIn = told.findLast((e) => isStandIn(e.message!));
    if (inStandIn) return inStandIn.approved;
    if (approved(root) && root.approved > 0 && !this.isUndone(root)) return root.approved;
    return told.length > 0 ? amount : 0;
  }

  /** Anything of the same card with the same DE37 and DE41. */
  sharesRrn(m: Message, card: string): boolean {
    return this.ofCard(card).some((e) => e.what !== 'reversal' && sharesRrn(m, e as Named));
  }

  /** What an increment added and nothing has taken back. */
  stillAdded(entry: Entry): number {
    return this.isUndone(entry) ? 0 : Math.max(0, entry.added);
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

/** DE7 has no year: within a day of each other only one of them can be in the new one. */
function isLater(de7: number, other: number): boolean {
  const month = (one: number): number => Math.trunc(one / 100_000_000);
  if (Math.abs(month(de7) - month(other)) > 6) return de7 < other;
  return de7 > other;
}

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
