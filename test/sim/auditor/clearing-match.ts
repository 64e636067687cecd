/** What a clearing record belongs to: the ladder of section 8 of the domain rules, searched from one end to the other. */
import { approves, type Entry } from '../../domain/reference/entry.js';
import { isCredit } from '../../domain/reference/message.js';
import type { ClearingInput, ClearingPosted } from './records.js';
import type { AuditedCard, ShardAudit } from './shard-audit.js';

export const Sort = { purchase: 1, cash: 2, credit: 3, secondPresentment: 4 } as const;

const Rung = { none: 0, networkId: 1, approvalCode: 2, rrn: 3, amount: 4, arn: 5 } as const;

export const Flag = {
  overCleared: 1,
  afterExpiry: 2,
  afterReversal: 4,
  unknownCard: 8,
  otherCurrency: 16,
  originalMissing: 32,
  otherAmount: 64,
  outOfRange: 128,
  disputeMissing: 256,
  otherCard: 512,
  /** Those that the auditor decides again for every record. */
  checked: 2 | 4 | 32 | 512,
} as const;

const DAY = 86_400_000;
const MATCHABLE_MS = 121 * DAY;
/** Cards that are looked at behind the card of the record. */
const REPLACED_MAX = 4;
const SECOND_PRESENTMENTS = [205, 282];

export const typeOf = ({ processingCode }: ClearingInput): number => Math.trunc(processingCode / 10_000);

export function sortOf(input: ClearingInput): number {
  if (SECOND_PRESENTMENTS.includes(input.functionCode)) return Sort.secondPresentment;
  const type = typeOf(input);
  if ([20, 26, 28].includes(type)) return Sort.credit;
  return [1, 11, 17].includes(type) ? Sort.cash : Sort.purchase;
}

/** The last of several by its count. */
export const lastOf = ({ sequence, count }: ClearingInput): boolean => count > 0 && sequence >= count;

export interface Match {
  original: Entry | undefined;
  related: ClearingPosted | undefined;
  rung: number;
  isOtherCard: boolean;
}

/** Oldest card of those that are joined by replacements; of a token that of its card. */
export function rootOf(card: AuditedCard): AuditedCard {
  let root = card.of ?? card;
  while (root.replaces) root = root.replaces;
  return root;
}

interface Way {
  rung: number;
  fits(entry: Entry): boolean;
}

/** @param posted records with the same reference of the acquirer */
export function matchOf(
  r: ClearingPosted,
  card: AuditedCard,
  shard: ShardAudit,
  charged: number,
  posted: readonly ClearingPosted[],
): Match {
  const related = relatedOf(r, posted);
  const byReference: Match = {
    ...{ original: undefined, related, rung: related ? Rung.arn : Rung.none, isOtherCard: false },
  };
  if (r.sort === Sort.secondPresentment) return byReference;
  // What is taken back is a record, and what that belonged to.
  if (r.input.reversal === 1)
    return { ...byReference, original: related && shard.model.past.log[related.original - 1] };
  const chain: AuditedCard[] = [];
  for (let one: AuditedCard | undefined = card; one && chain.length <= REPLACED_MAX; one = one.replaces)
    chain.push(one);
  const ofAccount = shard.cards.filter(({ account, of }) => account === card.account && of === undefined);
  for (const way of ladder(r, shard, charged)) {
    const find = (cards: readonly AuditedCard[]): Entry | undefined =>
      preferred(cards.flatMap((one) => candidates(r, one, shard)).filter(way.fits), r, shard, charged);
    for (const one of chain) {
      const found = find([one]);
      if (found) return { original: found, related, rung: way.rung, isOtherCard: false };
    }
    if (way.rung !== Rung.networkId) continue;
    // Those that replaced it go before the account's other cards.
    for (const isOtherCard of [false, true]) {
      const others = ofAccount.filter((one) => !chain.includes(one) && (rootOf(one) !== rootOf(card)) === isOtherCard);
      const found = find(others);
      if (found) return { original: found, related, rung: way.rung, isOtherCard };
    }
  }
  return byReference;
}

/** An earlier record with the reference, which this one takes back or refunds. */
function relatedOf(
  { input, sort, related }: ClearingPosted,
  posted: readonly ClearingPosted[],
): ClearingPosted | undefined {
  const isSame = (one: ClearingInput): boolean =>
    one.mti === input.mti && one.functionCode === input.functionCode && typeOf(one) === typeOf(input);
  if (input.reversal === 1) return posted.findLast((one) => one.input.reversal === 0 && isSame(one.input));
  if (sort !== Sort.credit) return undefined;
  // Of several payments with one reference any may be meant.
  const payments = posted.filter((one) => one.sort !== Sort.credit && one.input.reversal === 0);
  return payments.find(({ sequence }) => sequence === related) ?? payments[0];
}

/** Best first. An amount excludes on the last rung alone. */
function ladder({ input: i, atMs: _atMs }: ClearingPosted, shard: ShardAudit, charged: number): Way[] {
  const { holds } = shard.model.balances;
  return [
    { rung: Rung.networkId, fits: ({ message }) => i.networkId !== '' && message!.net === i.networkId },
    {
      rung: Rung.approvalCode,
      fits: ({ message, code, atMs }) => {
        const days = i.localDay - Math.floor(atMs / DAY);
        const isCode = code !== undefined && i.approvalCode !== '' && code === i.approvalCode.trimEnd();
        return isCode && message!.currency === i.currency && days >= -2 && days <= 32;
      },
    },
    {
      rung: Rung.rrn,
      fits: ({ message: { rrn, terminal, merchant } = { mti: 0, stan: 0, de7: 0 } }) => {
        if (i.rrn === '' || rrn !== i.rrn) return false;
        return (i.terminal !== '' && terminal === i.terminal) || (i.acceptor !== '' && merchant === i.acceptor);
      },
    },
    {
      rung: Rung.amount,
      fits: (entry) => {
        if (i.acceptor === '' || entry.message!.merchant !== i.acceptor) return false;
        // A hold of which nothing remains is open for increments only.
        const hold = holds.get((entry.original ?? entry).sequence);
        return hold !== undefined && (hold.refund || hold.remaining > 0) && isOfAmount(entry, i, shard, charged);
      },
    },
  ];
}

/** The merchant's amount or the billed one, or what remains. */
function isOfAmount(entry: Entry, i: ClearingInput, shard: ShardAudit, charged: number): boolean {
  const { amount, currency } = entry.message!;
  const hold = shard.model.balances.holds.get((entry.original ?? entry).sequence);
  return (amount === i.amount && currency === i.currency) || entry.approved === charged || hold?.remaining === charged;
}

/** Approved authorizations of at most 121 days, or with a hold that is open or whose end was at most 90 days ago; a credit is of an announced refund, everything else of what is no credit. */
function candidates(r: ClearingPosted, card: AuditedCard, shard: ShardAudit): Entry[] {
  const wanted: readonly Entry['what'][] = ['debit', 'increment', 'replacement', 'credit', 'advice'];
  return shard.model.past.ofCard(card.name).filter((entry) => {
    const { sequence } = entry.original ?? entry;
    const { holds, ends } = shard.model.balances;
    const endedOfLate = r.atMs - (ends.get(sequence) ?? 0) <= 90 * DAY;
    if (!holds.has(sequence) && !endedOfLate && r.atMs - entry.atMs > MATCHABLE_MS) return false;
    if (!wanted.includes(entry.what) || !approves(entry.response)) return false;
    if (entry.what === 'advice' && entry.approved === 0) return false;
    return isCredit(entry.message!) === (r.sort === Sort.credit);
  });
}

/** One with something left on its hold, then the amount, then a hold at all, then the newest; and its authorization. */
function preferred(found: Entry[], { input }: ClearingPosted, shard: ShardAudit, charged: number): Entry | undefined {
  const { holds } = shard.model.balances;
  const holdOf = (entry: Entry) => holds.get((entry.original ?? entry).sequence);
  /** An announced refund is open as long as it is there. */
  const isOpen = (entry: Entry): boolean => {
    const hold = holdOf(entry);
    return hold !== undefined && (hold.refund || hold.remaining > 0);
  };
  let best = found;
  for (const quality of [
    isOpen,
    (entry: Entry) => isOfAmount(entry, input, shard, charged),
    (entry: Entry) => holdOf(entry) !== undefined,
  ]) {
    const having = best.filter(quality);
    if (having.length > 0) best = having;
  }
  // They come card by card.
  const last = best.toSorted((a, b) => a.sequence - b.sequence).at(-1);
  return last?.original ?? last;
}
