/**
 * Totals of an acquirer's business date, summed up from everything that ever happened (docs/decisions/0021): what was
 * credited and debited and posted back, how many asked, how many were authorized. Each message belongs to its own date.
 */
import { approved, DAY, type Entry, type ModelCard } from './entry.js';
import { bare, classOf, isCredit, isFinancial, typeOf } from './message.js';
import { inMerchantCurrency } from './money.js';

/** The link that a message came over, and its business date in days since 1970. */
export interface Place {
  link: number;
  day: number;
}

const DAYS_KEPT = 35;
const DAYS_AHEAD = 7;

type Sums = Record<
  'credits' | 'creditReversals' | 'debits' | 'debitReversals' | 'inquiries' | 'authorizations',
  { number: number; amount: number }
>;

const today = (atMs: number): number => Math.floor(atMs / DAY);

const isKept = (day: number, atMs: number): boolean =>
  day >= today(atMs) - DAYS_KEPT && day <= today(atMs) + DAYS_AHEAD;

/** Which total the entry belongs to; undefined for what counts nowhere. */
function totalOf(e: Entry): keyof Sums | undefined {
  const m = e.message!;
  if (e.what === 'reversal') {
    if (!e.postedBack) return undefined;
    return e.postedBack === 'credit' ? 'creditReversals' : 'debitReversals';
  }
  if (!['1', '2'].includes(classOf(m.mti))) return undefined;
  if ([30, 31].includes(typeOf(m))) return e.response === '00' ? 'inquiries' : undefined;
  if (!approved(e)) return undefined;
  if (!isFinancial(m)) return 'authorizations';
  // It tells of a 0200 that is counted.
  if (e.isKnown) return undefined;
  if (typeOf(m) === 38 || m.amount === 0) return 'inquiries';
  return isCredit(m) ? 'credits' : 'debits';
}

/**
 * In the acquirer's currency: of a partial approval what was approved. All reversals of an authorization together take back
 * what was posted for it and no more: a partial one all but what stays, a full one the rest, one of a part that part.
 */
function amountsOf(
  log: readonly Entry[],
  cards: ReadonlyMap<string, ModelCard>,
): { amounts: Map<Entry, number>; takenBack: Map<Entry, number> } {
  const amounts = new Map<Entry, number>();
  /** What of the amount of an approval a roll-back took back. */
  const takenBack = new Map<Entry, number>();
  const standing = new Map<Entry, number>();
  for (const e of log) {
    const root = e.what === 'roll-back' ? (e.original!.original ?? e.original!) : (e.original ?? e);
    const stood = standing.get(root) ?? 0;
    const card = cards.get(e.card);
    if (e.what === 'roll-back' && e.charges) {
      const stands = e.charges[0] > 0 ? inProportion(stood, e.charges) : stood;
      standing.set(root, stands);
      takenBack.set(e.original!, Math.min(amounts.get(e.original!)!, stood - stands));
    }
    if (!e.message || card === undefined) continue;
    const { amount: told = 0, de95 = 0 } = e.message;
    if (e.what === 'reversal') {
      if (!e.postedBack) continue;
      const { currency } = e.message;
      const [before, after] = e.charges ?? [0, 0];
      if (e.takesBack || currency === undefined || currency === root.message!.currency) {
        const back = e.takesBack ? Math.min(stood, amounts.get(e.takesBack)!) : Math.max(0, stood - de95);
        amounts.set(e, back);
        standing.set(root, stood - back);
      } else {
        // In a currency of its own: in the account's as it was posted back, in a third one by its own words.
        amounts.set(
          e,
          currency === card.account.currency ? before - after : de95 > 0 ? Math.max(0, told - de95) : told,
        );
        standing.set(root, inProportion(stood, [before, after]));
      }
    } else {
      const amount = e.response === '10' ? inMerchantCurrency(e.message, card.account, e.approved) : told;
      const change = correctionOf(e, root, stood);
      amounts.set(e, change ?? amount);
      if (change !== undefined) standing.set(root, stood + change);
      else if (isFinancial(e.message) && e.posted && !e.isKnown)
        standing.set(root, e.toldIncrement ? stood + amount : amount);
    }
  }
  return { amounts, takenBack };
}

/** By how much a 0220 corrects what is counted of its authorization, in the acquirer's currency; undefined for what is no correction. */
function correctionOf({ corrects, message }: Entry, root: Entry, stood: number): number | undefined {
  if (!corrects || message!.currency !== root.message!.currency) return undefined;
  const { before, after } = corrects;
  const amount = message!.amount ?? 0;
  const stands = after === undefined ? amount : inProportion(stood, [before, after]);
  return Math.min(amount, stands - stood);
}

/** What stays of an amount when of `before` there stays `after`, half up. */
const inProportion = (amount: number, [before, after]: [number, number]): number =>
  Number((BigInt(amount) * BigInt(after) * 2n + BigInt(before)) / (BigInt(before) * 2n));

/** The rows of totals, as link, acquirer, day and currency, of the dates that can be asked for. */
export function totals(log: readonly Entry[], cards: ReadonlyMap<string, ModelCard>, atMs: number): Map<string, Sums> {
  const rows = new Map<string, Sums>();
  const { amounts, takenBack } = amountsOf(log, cards);
  /** A 0220 that only corrects it, or tells it once more. */
  const isCorrection = (e: Entry): boolean => {
    const change =
      e.corrects && amounts.get(e)! < (e.message!.amount ?? 0) && e.message!.currency === e.original!.message!.currency;
    return change === true;
  };
  const isToldBefore = (sequence: number, root: Entry): boolean =>
    log.slice(0, sequence).some((e) => e.original === root && (isCorrection(e) || (e.isKnown === true && approved(e))));
  const lost = log.filter(({ what }) => what === 'roll-back');
  const takenOut = new Set(
    lost.flatMap(({ sequence, original: e }) => {
      const stays = e!.posted && (takenBack.get(e!) === 0 || isToldBefore(sequence, e!.original ?? e!));
      return stays ? [] : [e!];
    }),
  );
  for (const e of log) {
    const card = cards.get(e.card);
    if (!e.message || !e.place || card === undefined) continue;
    const total = isCorrection(e) ? (isCredit(e.message) ? 'credits' : 'debits') : totalOf(e);
    const { link, day } = e.place;
    if (total === undefined || !isKept(day, e.atMs) || !isKept(day, atMs)) continue;
    const acquirer = Number(bare(e.message.acquirer)) || 0;
    const key = [link, acquirer, day, e.message.currency ?? card.account.currency].join(' ');
    const sums = rows.get(key) ?? nothing();
    rows.set(key, sums);
    if (!isCorrection(e) && !takenOut.has(e)) sums[total].number += 1;
    sums[total].amount += amounts.get(e)! - (takenOut.has(e) ? (takenBack.get(e) ?? amounts.get(e)!) : 0);
  }
  return rows;
}

const none = (): Sums['credits'] => ({ number: 0, amount: 0 });
export const nothing = (): Sums => ({
  ...{ credits: none(), creditReversals: none(), debits: none(), debitReversals: none() },
  ...{ inquiries: none(), authorizations: none() },
});

/** What an acquirer with these sums says: DE74 to 77, 80, 81, 86 to 89, and the net amount of 97 (negative for a debit). */
export function fieldsOf(sums: Sums): [field: number, value: number][] {
  const { credits, creditReversals, debits, debitReversals, inquiries, authorizations } = sums;
  return [
    [74, credits.number],
    [75, creditReversals.number],
    [76, debits.number],
    [77, debitReversals.number],
    [80, inquiries.number],
    [81, authorizations.number],
    [86, credits.amount],
    [87, creditReversals.amount],
    [88, debits.amount],
    [89, debitReversals.amount],
    [97, credits.amount + debitReversals.amount - debits.amount - creditReversals.amount],
  ];
}
