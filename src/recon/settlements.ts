/**
 * What is owed per network, settlement date, cycle and currency, four times: by the files, by their posted records, by the ledger
 * and by the network's own totals; and what was paid. The ledger's side is taken from legs, the records' side from their
 * amounts, so that neither can agree with the other by being the same computation.
 *
 * "Owed" is positive where we owe the network.
 */
import { ClearingSort } from '../domain/clearing/codes.js';
import type { ClearingPosted, EntryLeg, EntryPosted } from '../domain/events.js';
import { Gl } from '../domain/ledger/chart.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { settlementOf } from '../domain/ledger/sub-account.js';
import { type Break, type BreakType, breakOf, type SettlementName } from './breaks.js';
import type { FileFacts } from './files.js';

const DAY_MS = 86_400_000;
export const dayOf = (timeMs: number): number => Math.floor(timeMs / DAY_MS);

/** @param sub 0: records that name no settlement */
export function settlementName(sub: number, currency: number): SettlementName {
  return sub === 0 ? { network: 0, day: 0, cycle: 0, currency } : { ...settlementOf(sub), currency };
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
  /** Other entries on the sub-account (fees of the network, chargebacks), C positive. */
  entriesOwed: bigint;
  /** The network's 685 rows: how many, and what we owe by them without and with fees. */
  networkRows: number;
  networkOwed: bigint;
  networkTotal: bigint;
  /** Payments: how many, and how much we paid. */
  payments: number;
  paid: bigint;
}

/** Debits and credits of the entries that were seen, in one currency. */
export interface CurrencyBalance {
  readonly currency: number;
  readonly debits: bigint;
  readonly credits: bigint;
}

export class SettlementSums {
  readonly #unfinished: ReadonlySet<string>;
  readonly #states = new Map<string, SettlementState>();
  readonly #turnover = new Map<number, { debits: bigint; credits: bigint }>();

  /** @param unfinished names of files whose sums are not there yet: what was posted of them is taken out of that comparison */
  constructor(unfinished: ReadonlySet<string> = new Set()) {
    this.#unfinished = unfinished;
  }

  clearing({ file, input, sort, legs }: ClearingPosted): void {
    this.#post(legs);
    const isUnfinished = this.#unfinished.has(file);
    const isCredit = sort === ClearingSort.credit;
    const isCash = sort === ClearingSort.cash;
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
      if (glAccount === Gl.network) this.#of(settlementName(sub, currency)).ledgerOwed -= BigInt(amount);
    }
  }

  entry({ entry, legs }: EntryPosted): void {
    this.#post(legs);
    const isPayment = entry === EntryKind.settlement;
    for (const { glAccount, currency, sub, amount } of legs) {
      if (glAccount !== Gl.network) continue;
      const state = this.#of(settlementName(sub, currency));
      if (!isPayment) {
        state.entriesOwed -= BigInt(amount);
        continue;
      }
      state.payments++;
      for (const leg of legs) if (leg.glAccount === Gl.settlementBank) state.paid -= BigInt(leg.amount);
    }
  }

  /** A posted file. */
  file({ sums, unposted, totals }: FileFacts): void {
    for (const { debits, credits, ...name } of sums) this.#of(name).fileOwed += debits - credits;
    for (const { settlement, settled } of unposted) this.#of(settlement).unpostedOwed += BigInt(settled);
    for (const { netAmount, netTotal, network, day, cycle, currency } of totals) {
      const state = this.#of({ network, day, cycle, currency });
      state.networkRows++;
      state.networkOwed -= BigInt(netAmount);
      state.networkTotal -= BigInt(netTotal);
    }
  }

  /** In the order of network, date, cycle, currency. */
  get states(): SettlementState[] {
    return [...this.#states.values()].sort(
      ({ name: a }, { name: b }) =>
        a.network - b.network || a.day - b.day || a.cycle - b.cycle || a.currency - b.currency,
    );
  }

  /** By currency, ascending. */
  get balances(): CurrencyBalance[] {
    return [...this.#turnover].sort(([a], [b]) => a - b).map(([currency, sums]) => ({ currency, ...sums }));
  }

  /** What the sums do not agree on. @param asOf day of the run */
  breaks(asOf: number): Break[] {
    return this.states.flatMap((state) => settlementBreaks(state, asOf));
  }

  #post(legs: readonly EntryLeg[]): void {
    for (const { currency, amount } of legs) {
      let sums = this.#turnover.get(currency);
      if (sums === undefined) {
        sums = { debits: 0n, credits: 0n };
        this.#turnover.set(currency, sums);
      }
      if (amount >= 0) sums.debits += BigInt(amount);
      else sums.credits -= BigInt(amount);
    }
  }

  #of(name: SettlementName): SettlementState {
    const { network, day, cycle, currency } = name;
    const key = `${network}/${day}/${cycle}/${currency}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      state = {
        name: { network, day, cycle, currency },
        ...{ fileOwed: 0n, unpostedOwed: 0n, records: 0, recordsOwed: 0n, recordsEarned: 0n, ledgerOwed: 0n },
        ...{ entriesOwed: 0n, networkRows: 0, networkOwed: 0n, networkTotal: 0n, payments: 0, paid: 0n },
      };
      this.#states.set(key, state);
    }
    return state;
  }
}

/** What must be paid: by the network's totals, which are of everything that it settles, where it sends any; else by the ledger. */
export function dueOf({ networkRows, networkTotal, ledgerOwed, entriesOwed }: SettlementState): bigint {
  return networkRows > 0 ? networkTotal : ledgerOwed + entriesOwed;
}

function settlementBreaks(state: SettlementState, asOf: number): Break[] {
  const { name, fileOwed, unpostedOwed, recordsOwed, recordsEarned, ledgerOwed, networkRows, networkOwed } = state;
  const found: Break[] = [];
  const compare = (type: BreakType, reason: string, difference: bigint): void => {
    if (difference === 0n) return;
    const day = name.day === 0 ? asOf : name.day;
    const at = { amount: difference, currency: name.currency, day };
    found.push(breakOf(type, reason, at, asOf, { settlement: name }));
  };
  compare('ledger_not_file', 'records', fileOwed - unpostedOwed - recordsOwed);
  compare('ledger_not_file', 'legs', recordsOwed - recordsEarned - ledgerOwed);
  if (networkRows > 0) compare('trailer_mismatch', 'network_totals', networkOwed - fileOwed);
  const due = dueOf(state);
  if (state.payments > 0) compare('settlement_not_file', 'other_amount', state.paid - due);
  else if (name.day > 0 && name.day < asOf) compare('settlement_not_file', 'not_settled', due);
  return found;
}
