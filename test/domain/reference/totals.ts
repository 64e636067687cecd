/**
 * Totals of an acquirer's business date, summed up from everything that ever happened (docs/decisions/0021): what was
 * credited and debited and posted back, how many asked, how many were authorized. Each message belongs to its own date.
 */
import { approved, DAY, type Entry, type ModelCard } from './entry.js';
import { bare, classOf, isCredit, isFinancial, typeOf } from './message.js';
import { countedOf, isChangeOfUnknown } from './past.js';

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

/** Which total the words of the entry belong to; undefined for what counts nowhere. */
function totalOf(e: Entry): keyof Sums | undefined {
  const m = e.message!;
  if (e.what === 'reversal') {
    if (!e.postedBack) return undefined;
    return e.postedBack === 'credit' ? 'creditReversals' : 'debitReversals';
  }
  if (!['1', '2'].includes(classOf(m.mti))) return undefined;
  if ([30, 31].includes(typeOf(m))) return e.response === '00' ? 'inquiries' : undefined;
  if (isFinancial(m) && e.counts && e.isDecided) return isCredit(m) ? 'credits' : 'debits';
  if (!approved(e)) return undefined;
  if (!isFinancial(m)) return 'authorizations';
  if (typeOf(m) === 38 || m.amount === 0) return 'inquiries';
  return isCredit(m) ? 'credits' : 'debits';
}

/** What an entry adds to the totals of its date, or a roll-back takes out of those of what was not delivered. */
interface Contribution {
  number: number;
  amount: number;
}

/** What is counted of one authorization, in the currency of the first message that is. */
interface Standing {
  currency: number | undefined;
  /** A message that speaks of all of it is counted, and nothing has taken it out. */
  isCounted: boolean;
  /** Of such messages, whatever was reversed. */
  whole: number;
  /** Of all messages, less reversals: what stands posted. */
  stands: number;
}

/** In the acquirer's currency: all that is counted of an authorization, less its reversals, is what stands posted. */
function contributionsOf(log: readonly Entry[], cards: ReadonlyMap<string, ModelCard>): Map<Entry, Contribution> {
  const contributions = new Map<Entry, Contribution>();
  const standings = new Map<Entry, Standing>();
  for (const e of log) {
    const root = e.what === 'roll-back' ? (e.original!.original ?? e.original!) : (e.original ?? e);
    const card = cards.get(e.card);
    if (card === undefined) continue;
    const standing = standings.get(root) ?? { currency: undefined, isCounted: false, whole: 0, stands: 0 };
    standings.set(root, standing);
    if (e.what === 'roll-back') contributions.set(e, rolledBack(e, standing, contributions));
    else if (!e.message) continue;
    else if (e.what === 'reversal') contributions.set(e, reversed(e, standing, card));
    else if (isFinancial(e.message)) contributions.set(e, posted(e, root, standing, card));
    else contributions.set(e, { number: 1, amount: 0 });
  }
  return contributions;
}

function posted(e: Entry, root: Entry, standing: Standing, card: ModelCard): Contribution {
  const m = e.message!;
  const isMoney = totalOf(e) === 'credits' || totalOf(e) === 'debits';
  if (!isMoney) return { number: 1, amount: 0 };
  standing.currency ??= m.currency;
  // Of a hold the whole takes the place of parts.
  const isPart = isFinancial(root.message!) && (e.toldChange || isChangeOfUnknown(e));
  const told = { number: 1, amount: countedOf(e, card.account) };
  const isForeign = m.currency !== standing.currency;
  const isCorrected = e.counts && !isForeign;
  const stands = e.counts?.stands ?? standing.stands;
  const counted = isCorrected ? { number: standing.isCounted ? 0 : 1, amount: stands - standing.stands } : told;
  // A 0220 of nothing behind nothing, or of what is known.
  if (counted.amount === 0 && (m.amount === 0 || e.isKnown)) counted.number = 0;
  if (!isPart && counted.number > 0) standing.isCounted = true;
  if (isForeign) return counted;
  standing.stands += counted.amount;
  if (!isPart) standing.whole += counted.amount;
  return counted;
}

/** All reversals together take back what was posted and no more: a partial one all but what stays, a full one the rest, one of a part that part. */
function reversed(e: Entry, standing: Standing, card: ModelCard): Contribution {
  if (!e.postedBack) return { number: 0, amount: 0 };
  const { amount: told = 0, de95 = 0 } = e.message!;
  const currency = e.message!.currency ?? card.account.currency;
  const { stands } = standing;
  const [before, after] = e.charges ?? [0, 0];
  const inOwn = e.partBack !== undefined ? Math.min(stands, e.partBack!) : Math.max(0, stands - de95);
  const isForeign = currency !== standing.currency;
  standing.stands = isForeign ? inProportion(stands, [before, after]) : stands - inOwn;
  // What is told of it from then on is a message of its own.
  if (standing.stands === 0) standing.isCounted = false;
  if (!isForeign) return { number: 1, amount: inOwn };
  // In a currency of its own: in the account's as it was posted back, in a third one by its own words.
  const inThird = de95 > 0 ? Math.max(0, told - de95) : told;
  return { number: 1, amount: currency === card.account.currency ? before - after : inThird };
}

/** What stands nowhere any more goes; the message with the last of what it counted, unless a reversal counts some of that. */
function rolledBack(
  { original: e, counts }: Entry,
  standing: Standing,
  contributions: ReadonlyMap<Entry, Contribution>,
): Contribution {
  const own = contributions.get(e!)!;
  if (!e!.posted) return own;
  const amount = standing.stands - Math.min(standing.stands, counts!.stands!);
  const number = amount > 0 && standing.isCounted && standing.whole === amount ? 1 : 0;
  if (number > 0) standing.isCounted = false;
  standing.whole -= amount;
  standing.stands -= amount;
  return { number, amount };
}

/** What stays of an amount when of `before` there stays `after`, half up. */
const inProportion = (amount: number, [before, after]: [number, number]): number =>
  Number((BigInt(amount) * BigInt(after) * 2n + BigInt(before)) / (BigInt(before) * 2n));

/** The rows of totals, as link, acquirer, day and currency, of the dates that can be asked for. */
export function totals(log: readonly Entry[], cards: ReadonlyMap<string, ModelCard>, atMs: number): Map<string, Sums> {
  const rows = new Map<string, Sums>();
  const contributions = contributionsOf(log, cards);
  for (const e of log) {
    // A roll-back takes out what was counted on the date of the approval.
    const of = e.what === 'roll-back' ? e.original! : e;
    const card = cards.get(of.card);
    if (!of.message || !of.place || card === undefined) continue;
    const total = totalOf(of);
    const { link, day } = of.place;
    if (total === undefined || !isKept(day, of.atMs) || !isKept(day, atMs)) continue;
    const { number, amount } = contributions.get(e)!;
    const acquirer = Number(bare(of.message.acquirer)) || 0;
    const key = [link, acquirer, day, of.message.currency ?? card.account.currency].join(' ');
    const sums = rows.get(key) ?? nothing();
    if (number !== 0 || amount !== 0) rows.set(key, sums);
    const sign = of === e ? 1 : -1;
    sums[total].number += sign * number;
    sums[total].amount += sign * amount;
  }
  return rows;
}

const none = (): Sums['credits'] => ({ number: 0, amount: 0 });
export const nothing = (): Sums => ({
  ...{ credits: none(), creditReversals: none(), debits: none(), debitReversals: none() },
  ...{ inquiries: none(), authorizations: none() },
});

/** What DE86 to DE89 say where corrections took a date's amounts below zero: that is told as amounts of reversals. */
const told = (amount: number, reversals: number): [amount: number, reversals: number] =>
  amount < 0 ? [0, reversals - amount] : [amount, reversals];

/** What an acquirer with these sums says: DE74 to 77, 80, 81, 86 to 89, and the net amount of 97 (negative for a debit). */
export function fieldsOf(sums: Sums): [field: number, value: number][] {
  const [credits, creditReversals] = told(sums.credits.amount, sums.creditReversals.amount);
  const [debits, debitReversals] = told(sums.debits.amount, sums.debitReversals.amount);
  const amounts = new Map([
    [86, credits],
    [87, creditReversals],
    [88, debits],
    [89, debitReversals],
  ]);
  return figuresOf(sums).map(([field, value]) => [field, amounts.get(field) ?? value]);
}

/** By the fields that tell it, as it is: amounts may be below zero. */
export function figuresOf(sums: Sums): [field: number, value: number][] {
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
