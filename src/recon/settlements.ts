/**
 * What is owed per network, settlement date, cycle and currency, four times: by the files, by their posted records, by the ledger
 * and by the network's own totals; and what was paid. The ledger's side is taken from legs, the records' side from their
 * amounts, so that neither can agree with the other by being the same computation.
 *
 * "Owed" is positive where we owe the network.
 */
import { isCashRecord, isCreditRecord } from '../domain/clearing/input.js';
import type { ClearingPosted, EntryLeg, EntryPosted, Posting } from '../domain/events.js';
import { Gl } from '../domain/ledger/chart.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { settlementOf } from '../domain/ledger/sub-account.js';
import { type Break, type BreakReason, type BreakType, breakOf, type SettlementName } from './breaks.js';
import { type FileFacts, SIMULATED_FILE } from './files.js';

const DAY_MS = 86_400_000;
export const dayOf = (timeMs: number): number => Math.floor(timeMs / DAY_MS);

/** @param sub 0: what names no settlement */
export function settlementName(sub: number, currency: number): SettlementName {
  return sub === 0 ? { network: 0, day: 0, cycle: 0, currency } : { ...settlementOf(sub), currency };
}

/** Saturday, and days of a week: 1970-01-01 was a Thursday. */
const [SATURDAY, WEEK] = [6, 7];

/**
 * The day as of which what is settled on a day must have been paid: the first working day behind it, as cash moves on working days
 * alone. Saturdays and Sundays are none; days since 1970-01-01.
 */
export function dueFrom(day: number): number {
  const next = day + 1;
  const weekday = (next + 4) % WEEK;
  if (weekday === SATURDAY) return next + 2;
  return weekday === 0 ? next + 1 : next;
}

/** One settlement. Minor units of its currency. */
export interface SettlementState {
  readonly name: SettlementName;
  /** Presentments of posted files: how much we owe by them, without fees. */
  fileOwed: bigint;
  /** Of that, of records that no shard has posted, with a break of their own or an entry of their own. */
  unpostedOwed: bigint;
  /** Posted records: how many, what they say that we owe, and what they earn us in interchange. */
  records: number;
  recordsOwed: bigint;
  recordsEarned: bigint;
  /** Their legs on 2100, C positive. */
  ledgerOwed: bigint;
  /** Other entries on the sub-account (fees of the network, chargebacks, single messages), C positive. */
  entriesOwed: bigint;
  /** What the fees of presentments earn us by the files; undefined when a file does not tell it. */
  fileEarned: bigint | undefined;
  /** The network's 685 rows: how many, and what we owe by them without and with fees. */
  networkRows: number;
  networkOwed: bigint;
  networkTotal: bigint;
  /** Payments: how many, how much we paid, and what else they took off the sub-account as rounding, C positive. */
  payments: number;
  paid: bigint;
  rounded: bigint;
  /** What must have been paid, or must be: by the network's totals, which are of everything that it settles, where it sends any; else
   * by the ledger. Of what names no settlement: what stands on 2100 of days that are due. */
  due: bigint;
}

/** Debits and credits of the entries that were seen, in one currency. */
export interface CurrencyBalance {
  readonly currency: number;
  readonly debits: bigint;
  readonly credits: bigint;
}

/** Key of a settlement. */
export const settlementKey = ({ network, day, cycle, currency }: SettlementName): string =>
  `${network}/${day}/${cycle}/${currency}`;

export class SettlementSums {
  readonly #asOf: number;
  readonly #since: number;
  readonly #unfinished: ReadonlySet<string>;
  readonly #standing: ReadonlyMap<string, bigint> | undefined;
  readonly #states = new Map<string, SettlementState>();
  readonly #turnover = new Map<number, { debits: bigint; credits: bigint }>();
  /** What names no settlement, without payments, by currency and day: C positive. */
  readonly #moved = new Map<number, Map<number, bigint>>();

  /**
   * @param asOf day of the run @param since first of its days @param unfinished names of files whose sums are not there yet: what was posted of them is taken out
   * of that comparison @param standing what stands on 2100 behind the last record, C positive, without what is at zero or older than
   * the run; undefined when that is not known
   */
  constructor(
    asOf: number,
    since: number,
    unfinished: ReadonlySet<string> = new Set(),
    standing?: readonly { readonly settlement: SettlementName; readonly owed: bigint }[],
  ) {
    this.#asOf = asOf;
    this.#since = since;
    this.#unfinished = unfinished;
    this.#standing = standing && new Map(standing.map(({ settlement, owed }) => [settlementKey(settlement), owed]));
    for (const { settlement } of standing ?? []) this.#of(settlement);
  }

  clearing({ file, input, legs, timeMs }: ClearingPosted): void {
    this.#post(legs);
    const isUnfinished = this.#unfinished.has(file) || file.startsWith(SIMULATED_FILE);
    const isCredit = isCreditRecord(input);
    const isCash = isCashRecord(input);
    const way = input.reversal === 1 ? -1 : 1;
    if (input.settlementCurrency >= 0) {
      const state = this.#of(settlementName(input.sub, input.settlementCurrency));
      const owed = BigInt((isCredit ? 0 - way : way) * input.settlementAmount);
      state.records++;
      state.recordsOwed += owed;
      if (isUnfinished) state.unpostedOwed -= owed;
    } else {
      const [amount, currency] =
        input.billingCurrency >= 0 ? [input.billingAmount, input.billingCurrency] : [input.amount, input.currency];
      const state = this.#of(settlementName(input.sub, currency));
      const owed = BigInt((isCredit ? 0 - way : way) * amount);
      state.records++;
      state.recordsOwed += owed;
      // A file's sums have only what it says to be settled.
      state.unpostedOwed -= owed;
    }
    const usual = isCredit || isCash ? 0 - way : way;
    for (const { amount, currency, sign } of input.fees)
      this.#of(settlementName(input.sub, currency)).recordsEarned += BigInt(amount * (sign === 0 ? usual : sign));
    for (const { glAccount, currency, sub, amount } of legs) {
      if (glAccount !== Gl.network) continue;
      this.#of(settlementName(sub, currency)).ledgerOwed -= BigInt(amount);
      if (sub === 0) this.#move(currency, dayOf(timeMs), amount);
    }
  }

  entry({ entry, legs, timeMs }: EntryPosted): void {
    this.#post(legs);
    const isPayment = entry === EntryKind.settlement;
    for (const { glAccount, currency, sub, amount } of legs) {
      if (glAccount !== Gl.network) continue;
      const state = this.#of(settlementName(sub, currency));
      if (!isPayment) {
        state.entriesOwed -= BigInt(amount);
        if (sub === 0) this.#move(currency, dayOf(timeMs), amount);
        continue;
      }
      state.payments++;
      for (const leg of legs) {
        if (leg.glAccount === Gl.settlementBank) state.paid -= BigInt(leg.amount);
        if (leg.glAccount === Gl.rounding) state.rounded -= BigInt(leg.amount);
      }
    }
  }

  /** What a single message, its roll-back or a payment of a cardholder posted. @param currency of the account */
  posted(postings: readonly Posting[], currency: number, timeMs: number): void {
    for (const { glAccount, amount } of postings) {
      this.#turn(currency, amount);
      if (glAccount !== Gl.network) continue;
      this.#of(settlementName(0, currency)).entriesOwed -= BigInt(amount);
      this.#move(currency, dayOf(timeMs), amount);
    }
  }

  /** A posted file. */
  file({ sums, unposted, totals }: FileFacts): void {
    for (const { debits, credits, earned, ...name } of sums) {
      const state = this.#of(name);
      state.fileOwed += debits - credits;
      state.fileEarned = state.fileEarned === undefined || earned === undefined ? undefined : state.fileEarned + earned;
    }
    for (const { settlement, settled } of unposted) this.#of(settlement).unpostedOwed += BigInt(settled);
    for (const { netAmount, netTotal, network, day, cycle, currency } of totals) {
      const state = this.#of({ network, day, cycle, currency });
      state.networkRows++;
      state.networkOwed -= netAmount;
      state.networkTotal -= netTotal;
    }
  }

  /** In the order of network, date, cycle, currency. */
  get states(): SettlementState[] {
    const states = [...this.#states.values()].map((state) => ({ ...state, due: this.#dueOf(state) }));
    return states.sort(
      ({ name: a }, { name: b }) =>
        a.network - b.network || a.day - b.day || a.cycle - b.cycle || a.currency - b.currency,
    );
  }

  /** By currency, ascending. */
  get balances(): CurrencyBalance[] {
    return [...this.#turnover].sort(([a], [b]) => a - b).map(([currency, sums]) => ({ currency, ...sums }));
  }

  /** What the sums do not agree on. */
  breaks(): Break[] {
    return this.states.flatMap((state) => {
      const { name } = state;
      const since = name.day > 0 ? name.day : this.#unnamedSince(state);
      const found = settlementBreaks(state, since, this.#asOf);
      if (this.#standing === undefined || name.day === 0) return found;
      // Nothing of it should be from before the records that were read.
      const before = (this.#standing.get(settlementKey(name)) ?? 0n) - remaining(state);
      if (before !== 0n)
        found.push(settlementBreak(state, 'settlement_not_file', 'stood_before', before, since, this.#asOf));
      return found;
    });
  }

  #dueOf({ name, networkRows, networkTotal, ledgerOwed, entriesOwed }: SettlementState): bigint {
    if (name.day > 0) return networkRows > 0 ? networkTotal : ledgerOwed + entriesOwed;
    if (this.#standing === undefined) return 0n;
    const stands = this.#standing.get(settlementKey(name)) ?? 0n;
    let newer = 0n;
    for (const [day, amount] of this.#moved.get(name.currency) ?? []) if (dueFrom(day) > this.#asOf) newer += amount;
    return olderThan(stands, newer);
  }

  /** Day of the oldest movement that is not paid, if the newest ones are paid last. */
  #unnamedSince({ name: { currency }, due }: SettlementState): number {
    const days = [...(this.#moved.get(currency) ?? [])]
      .filter(([day]) => dueFrom(day) <= this.#asOf)
      .sort(([a], [b]) => b - a);
    let left = due;
    let since = this.#asOf - 1;
    while (dueFrom(since) > this.#asOf) since--;
    const isLeft = (): boolean => left !== 0n && left > 0n === due > 0n;
    for (const [day, amount] of days) {
      if (!isLeft()) return since;
      left -= amount;
      since = day;
    }
    // From before the records that were read.
    return isLeft() ? Math.min(since, this.#since - 1) : since;
  }

  /** @param amount D positive */
  #move(currency: number, day: number, amount: number): void {
    let days = this.#moved.get(currency);
    if (days === undefined) {
      days = new Map();
      this.#moved.set(currency, days);
    }
    days.set(day, (days.get(day) ?? 0n) - BigInt(amount));
  }

  #post(legs: readonly EntryLeg[]): void {
    for (const { currency, amount } of legs) this.#turn(currency, amount);
  }

  #turn(currency: number, amount: number): void {
    let sums = this.#turnover.get(currency);
    if (sums === undefined) {
      sums = { debits: 0n, credits: 0n };
      this.#turnover.set(currency, sums);
    }
    if (amount >= 0) sums.debits += BigInt(amount);
    else sums.credits -= BigInt(amount);
  }

  #of(name: SettlementName): SettlementState {
    const key = settlementKey(name);
    let state = this.#states.get(key);
    if (state === undefined) {
      state = {
        name: { network: name.network, day: name.day, cycle: name.cycle, currency: name.currency },
        ...{ fileOwed: 0n, unpostedOwed: 0n, records: 0, recordsOwed: 0n, recordsEarned: 0n, ledgerOwed: 0n },
        ...{ entriesOwed: 0n, fileEarned: 0n, networkRows: 0, networkOwed: 0n, networkTotal: 0n },
        ...{ payments: 0, paid: 0n, rounded: 0n, due: 0n },
      };
      this.#states.set(key, state);
    }
    return state;
  }
}

/**
 * Of what stands, what is from before the newer movements: these are paid last, so as much as fits into them is theirs.
 * @param newer without their payments
 */
function olderThan(stands: bigint, newer: bigint): bigint {
  if (stands > 0n !== newer > 0n || newer === 0n) return stands;
  const isLarger = stands > 0n ? stands > newer : stands < newer;
  return isLarger ? stands - newer : 0n;
}

/** What is left on the sub-account by the records that were read, C positive. */
const remaining = ({ ledgerOwed, entriesOwed, paid, rounded }: SettlementState): bigint =>
  ledgerOwed + entriesOwed - paid - rounded;

function settlementBreak(
  { name }: SettlementState,
  type: BreakType,
  reason: BreakReason,
  difference: bigint,
  since: number,
  asOf: number,
): Break {
  return breakOf(type, reason, { amount: difference, currency: name.currency, day: since }, asOf, { settlement: name });
}

/** @param since day of the settlement, or since when what names none is due */
function settlementBreaks(state: SettlementState, since: number, asOf: number): Break[] {
  const { name, fileOwed, unpostedOwed, recordsOwed, recordsEarned, ledgerOwed, paid, rounded, due } = state;
  const found: Break[] = [];
  const compare = (type: BreakType, reason: BreakReason, difference: bigint): void => {
    if (difference !== 0n) found.push(settlementBreak(state, type, reason, difference, since, asOf));
  };
  compare('ledger_not_file', 'records', fileOwed - unpostedOwed - recordsOwed);
  compare('ledger_not_file', 'legs', recordsOwed - recordsEarned - ledgerOwed);
  const hasTotals = state.networkRows > 0;
  if (hasTotals) {
    compare('trailer_mismatch', 'network_totals', state.networkOwed - fileOwed);
    if (state.fileEarned !== undefined)
      compare('trailer_mismatch', 'network_fees', state.networkTotal - state.networkOwed + state.fileEarned);
  }
  if (name.day === 0) {
    compare('settlement_not_file', 'not_settled', due);
    return found;
  }
  if (dueFrom(name.day) > asOf) return found;
  if (state.payments === 0) {
    compare('settlement_not_file', 'not_settled', due);
    // What the network takes may not be what was booked: it will stay on the sub-account.
    if (hasTotals) compare('settlement_not_file', 'sub_account_not_zero', remaining(state) - due);
    return found;
  }
  // Whoever posts a payment may accept that it differs a little from what was owed.
  const isAccepted = paid + rounded === due;
  const other = isAccepted ? 0n : paid - due + (hasTotals ? 0n : rounded);
  compare('settlement_not_file', 'other_amount', other);
  const left = remaining(state);
  if (hasTotals && left !== 0n) compare('settlement_not_file', 'sub_account_not_zero', left + other);
  return found;
}
