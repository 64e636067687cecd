/**
 * A reconciliation run from its inputs to its report. The inputs are named in the report: the date, how far the journal of each
 * shard was read, and the files. The same inputs give the same report, byte for byte: nothing here reads a clock.
 */
import { currencyLetters } from '../domain/currencies.js';
import { RECON_PIECE_ROWS } from '../limits.js';
import { type BreakCount, BreakList } from './break-list.js';
import { ageBucket, type Break, breakOf, type Position, type SettlementName } from './breaks.js';
import { type FileFacts, fileBreaks, type WaitingFile, waitingBreaks } from './files.js';
import { jsonPieces, LongList } from './json-pieces.js';
import { type SettlementState, SettlementSums } from './settlements.js';
import { ShardComparison } from './shard.js';
import { newSettlements, oldSettlements, type Standing, SuspenseItems } from './standing.js';
import { ResolvedSuspense } from './suspense.js';

export interface RunInputs {
  /** As of this day, and back to that one: days since 1970-01-01. Breaks of earlier days are left out. */
  readonly day: number;
  readonly since: number;
  /** The first and the last record that were read of each shard. */
  readonly spans: readonly { readonly shard: number; readonly from: number; readonly to: number }[];
  readonly files: readonly FileFacts[];
  /** Names of files that wait or are being posted: of some of their records the journal does not know yet. */
  readonly unfinished: readonly string[];
  /** Files that came before the day and are not finished: their names until then, and the day on which they came. */
  readonly waiting: readonly WaitingFile[];
  /**
   * What stands in the books behind the last records: 2100 of settlements and of what names none, and 1390. Undefined for runs of
   * releases that did not note it.
   */
  readonly standing: readonly Standing[] | undefined;
}

/** Compares. Shards are read one after the other: `shard`, its records, `finish` of it, the next. */
export class Reconciliation {
  readonly #inputs: RunInputs;
  readonly #sums: SettlementSums;
  readonly #breaks: BreakList;
  readonly #resolved = new ResolvedSuspense();
  readonly #suspense: SuspenseItems;
  readonly #open = new Map<number, { count: number; amount: bigint }>();
  #authorizations = 0;
  #records = 0;

  /** @param breaksMax breaks of records that are listed one by one */
  constructor(inputs: RunInputs, breaksMax?: number) {
    const files = [...inputs.files].sort((a, b) => (a.id < b.id ? -1 : 1));
    const spans = [...inputs.spans].sort((a, b) => a.shard - b.shard);
    const { day, since, standing } = inputs;
    const unfinished = [...inputs.unfinished].sort();
    const waiting = [...inputs.waiting].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#inputs = { day, since, spans, files, unfinished, waiting, standing };
    this.#sums = new SettlementSums(day, since, new Set(unfinished), standing && newSettlements(standing, since));
    this.#suspense = new SuspenseItems(since);
    this.#breaks = new BreakList(since, breaksMax);
    for (const one of fileBreaks(files, day, unfinished)) this.#breaks.addSum(one);
    for (const one of waitingBreaks(waiting, day)) this.#breaks.addStanding(one);
    for (const file of files) {
      if (file.state !== 'posted') continue;
      this.#sums.file(file);
      this.#unposted(file);
    }
  }

  shard(shard: number): ShardComparison {
    return new ShardComparison(shard, this.#inputs.day, {
      sums: this.#sums,
      breaks: this.#breaks,
      resolved: this.#resolved,
      suspense: this.#suspense,
    });
  }

  /** All records of the shard have been seen. */
  finishShard(comparison: ShardComparison): void {
    comparison.finish(this.#open);
    this.#authorizations += comparison.authorizations;
    this.#records += comparison.records;
  }

  finish(): ReconReport {
    const { day, since, standing } = this.#inputs;
    const isShown = (at: number): boolean => at === 0 || at >= since;
    this.#breaks.drop((one) => this.#resolved.isOf(one));
    for (const one of this.#sums.breaks()) {
      // What names no settlement does not leave by its age.
      if (one.settlement?.day === 0) this.#breaks.addStanding(one);
      else this.#breaks.addSum(one);
    }
    if (standing !== undefined) {
      for (const one of oldSettlements(standing, since, day)) this.#breaks.addStanding(one);
      for (const one of this.#suspense.breaks(standing, day, this.#resolved)) this.#breaks.addStanding(one);
    }
    const { sorted: breaks, leftOut, counts } = this.#breaks;
    const { balances } = this.#sums;
    const states = this.#sums.states.filter(({ name }) => isShown(name.day));
    return {
      inputs: this.#inputs,
      ...{ breaks, leftOut, counts },
      settlements: states,
      balances,
      open: [...this.#open].sort(([a], [b]) => a - b).map(([currency, sum]) => ({ currency, ...sum })),
      authorizations: this.#authorizations,
      records: this.#records,
    };
  }

  #unposted({ name, unposted, day: since }: FileFacts): void {
    const { day } = this.#inputs;
    for (const { why, record, otherAmount, amount, currency, settlement } of unposted) {
      if (why === 'other') continue;
      const links = { clearing: { file: name, record }, settlement };
      const at = { amount, currency, day: since };
      if (why !== 'duplicate') this.#breaks.add(breakOf('record_not_posted', why, at, day, links));
      else {
        const reason = otherAmount ? 'same_with_other_amount' : 'same';
        this.#breaks.add(breakOf('duplicate_presentment', reason, at, day, links));
      }
    }
  }
}

export interface ReconReport {
  readonly inputs: RunInputs;
  /** In the order of compareBreaks. */
  readonly breaks: readonly Break[];
  /** Breaks beyond those that are listed: in the counts alone. */
  readonly leftOut: number;
  readonly counts: readonly BreakCount[];
  readonly settlements: readonly SettlementState[];
  readonly balances: readonly { readonly currency: number; readonly debits: bigint; readonly credits: bigint }[];
  /** Authorizations whose hold has not ended: no breaks. */
  readonly open: readonly { readonly currency: number; readonly count: number; readonly amount: bigint }[];
  readonly authorizations: number;
  readonly records: number;
}

/** A sum as a number, as text where a number would round it. */
const exact = (sum: bigint): number | string => {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
};
const date = (day: number): string | null => (day <= 0 ? null : new Date(day * 86_400_000).toISOString().slice(0, 10));
const letters = (currency: number): string | null =>
  currency <= 0 ? null : (currencyLetters(currency) ?? String(currency).padStart(3, '0'));
const place = (at: Position | undefined): string | null => (at === undefined ? null : `${at.shard}-${at.sequence}`);

function settlementJson({ network, day, cycle, currency }: SettlementName) {
  return { network, settlement_date: date(day), cycle, currency: letters(currency) };
}

/** A break as JSON; what people do about it (its status) is not part of it. */
export function breakJson(one: Break) {
  const { id, type, reason, amount, currency, day, ageDays, authorization, clearing, posted, file, settlement } = one;
  return {
    ...{ id, type, reason, amount: exact(amount), currency: letters(currency) },
    ...{ since: date(day), age_days: ageDays, age: ageBucket(ageDays) },
    authorization: place(authorization),
    file: clearing?.file ?? file ?? null,
    record: clearing?.record ?? null,
    posted: place(posted),
    settlement: settlement === undefined ? null : settlementJson(settlement),
  };
}

/** Form of the report: another one gives other bytes for the same inputs. Count up with whatever may change them. */
export const REPORT_VERSION = 6;

/** The members of the report as JSON. */
export function reportMembers(report: ReconReport) {
  const { inputs, breaks, leftOut, counts, settlements, balances, open, authorizations, records } = report;
  const isBalanced = balances.every(({ debits, credits }) => debits === credits);
  // Where nothing was read, or a file is half posted, there is nothing to say.
  const isWhole = (records > 0 || inputs.files.length > 0) && inputs.unfinished.length === 0;
  return {
    object: 'recon_report',
    version: REPORT_VERSION,
    date: date(inputs.day),
    since: date(inputs.since),
    inputs: {
      journal: inputs.spans.map(({ shard, from, to }) => ({ shard, from, to })),
      files: inputs.files.map(({ id, name, state }) => ({ id, name, state })),
      unfinished_files: inputs.unfinished,
      waiting_files: inputs.waiting.map(({ name, day }) => ({ name, since: date(day) })),
      standing: (inputs.standing ?? []).map(({ glAccount, settlement, owed }) => ({
        account: String(glAccount),
        ...settlementJson(settlement),
        owed: exact(owed),
      })),
    },
    ...{ records, authorizations },
    open: open.map(({ currency, count, amount }) => ({ currency: letters(currency), count, amount: exact(amount) })),
    books: {
      /** Every currency balances, and nothing disagrees. */
      balance: isBalanced && counts.length === 0 && isWhole,
      currencies: balances.map(({ currency, debits, credits }) => ({
        currency: letters(currency),
        ...{ debits: exact(debits), credits: exact(credits), difference: exact(debits - credits) },
      })),
    },
    settlements: new LongList(settlements, (state) => ({
      ...settlementJson(state.name),
      records: state.records,
      file: exact(state.fileOwed),
      not_posted: exact(state.unpostedOwed),
      posted: exact(state.recordsOwed),
      interchange: exact(state.recordsEarned),
      ledger: exact(state.ledgerOwed),
      other_entries: exact(state.entriesOwed),
      network_net: state.networkRows === 0 ? null : exact(state.networkOwed),
      network_total: state.networkRows === 0 ? null : exact(state.networkTotal),
      due: exact(state.due),
      paid: state.payments === 0 ? null : exact(state.paid),
      rounded: exact(state.rounded),
    })),
    counts,
    breaks_left_out: leftOut,
    breaks: new LongList(breaks, breakJson),
  };
}

/** The text of the report: JSON, indented, with a line feed at its end. `report_sha256` is that of all pieces. */
export function* reportPieces(report: ReconReport): Generator<string> {
  yield* jsonPieces(reportMembers(report), 2);
  yield '\n';
}

const columns = [
  ...['id', 'type', 'reason', 'amount', 'currency', 'since', 'age_days', 'age', 'authorization', 'file', 'record'],
  ...['posted', 'network', 'settlement_date', 'cycle', 'settlement_currency'],
] as const;

/** The breaks as CSV (RFC 4180), with a line of names. */
export function* csvPieces({ breaks }: ReconReport): Generator<string> {
  yield `${columns.join(',')}\r\n`;
  for (let from = 0; from < breaks.length; from += RECON_PIECE_ROWS)
    yield breaks
      .slice(from, from + RECON_PIECE_ROWS)
      .map(csvLine)
      .join('');
}

function csvLine(one: Break): string {
  const { settlement, ...rest } = breakJson(one);
  const { network = null, settlement_date = null, cycle = null, currency = null } = settlement ?? {};
  return `${[...Object.values(rest), network, settlement_date, cycle, currency].map(cell).join(',')}\r\n`;
}

/** Quoted where it must be; what a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
