/**
 * What reconciliation knows of clearing files. Whoever keeps them (the registry of the control plane) tells it in these words, so
 * that nothing here depends on how files are kept.
 */
import { type Break, breakOf, type SettlementName } from './breaks.js';

/** What the simulator clears is in no file. The name that its records have instead begins so, as no name of a file does. */
export const SIMULATED_FILE = 'simulated-';

/** Sums of one file for one settlement, as its records say them. Minor units, from zero. */
export interface FileSums extends SettlementName {
  /** What we owe and what is owed to us, fees not counted. */
  readonly debits: bigint;
  readonly credits: bigint;
  /** What the fees of presentments earn us; undefined in files of releases that did not add them up. */
  readonly earned: bigint | undefined;
}

/** A network's own totals of a file: its 1644/685 rows of a settlement. 688 rows say the same again and do not belong here. */
export interface NetworkTotal extends SettlementName {
  /** The file that it sums up (PDS0300), which may be another one than it stands in; '' where it does not say it. */
  readonly fileId: string;
  /** Positive: to us. Minor units. */
  readonly netAmount: bigint;
  readonly netTotal: bigint;
}

/** A record that moves money and that no shard has posted. */
export interface UnpostedRecord {
  readonly record: number;
  /** `other`: a chargeback or fee collection, which is an entry of its own. */
  readonly why: 'duplicate' | 'invalid' | 'refused' | 'other';
  /** Of a duplicate: it has another amount than what was posted. */
  readonly otherAmount: boolean;
  /** What the cardholder would have been billed. Minor units. */
  readonly amount: number;
  readonly currency: number;
  /** Where and with how much it is in `sums` of its file: above zero a debit, below it a credit. */
  readonly settlement: SettlementName;
  readonly settled: number;
}

export interface FileFacts {
  /** Id of the registry (`file_...`). */
  readonly id: string;
  /** By which the shards know it. */
  readonly name: string;
  readonly state: 'posted' | 'quarantined';
  /** Why it is quarantined: codes of findings; empty when it is posted. */
  readonly findings: readonly string[];
  /** Of the end of its processing, days since 1970-01-01. */
  readonly day: number;
  readonly sums: readonly FileSums[];
  readonly totals: readonly NetworkTotal[];
  /** Rows that are in no total, because the file has too many different ones. */
  readonly totalsLeftOut: number;
  readonly unposted: readonly UnpostedRecord[];
}

/** A file that is not finished. */
export interface WaitingFile {
  /** As the shards will know it; of one that has not been read by its content. */
  readonly name: string;
  /** On which it came, days since 1970-01-01. */
  readonly day: number;
}

/** Of a file whose name a posted file of other content has. */
const OTHER_CONTENT = 'file_id_posted';
/** Codes of findings that say that a trailer or its sums are wrong. */
const TRAILER = /^(count|amount_sum|trailer)_/;

/** Breaks of files as such: refused ones, and those that others tell of. */
export function fileBreaks(files: readonly FileFacts[], asOf: number, unfinished: readonly string[] = []): Break[] {
  const posted = new Set(files.filter(({ state }) => state === 'posted').map(({ name }) => name));
  const breaks = new Map<string, Break>();
  const add = (one: Break): void => {
    if (!breaks.has(one.id)) breaks.set(one.id, one);
  };
  for (const file of files) {
    if (file.state === 'posted') {
      const at = { amount: 0, currency: 0, day: file.day };
      if (file.totalsLeftOut > 0) add(breakOf('trailer_mismatch', 'totals_left_out', at, asOf, { file: file.name }));
      continue;
    }
    const at = { ...firstSum(file), day: file.day };
    // An earlier copy that was broken is cured by a later one that is whole; other content under the name of a posted file is by none.
    if (file.findings.includes(OTHER_CONTENT))
      add(breakOf('missing_file', 'other_content', at, asOf, { file: file.name }));
    if (posted.has(file.name)) continue;
    const isTrailer = file.findings.some((code) => TRAILER.test(code));
    add(breakOf(isTrailer ? 'trailer_mismatch' : 'missing_file', 'quarantined', at, asOf, { file: file.name }));
  }
  const known = new Set([...files.map(({ name }) => name), ...unfinished]);
  for (const [file, { amount, currency, day }] of toldByTotals(files)) {
    if (!known.has(file)) add(breakOf('missing_file', 'named_by_totals', { amount, currency, day }, asOf, { file }));
  }
  for (const { file, day } of gaps([...files, ...unfinished.map((name) => ({ name, day: asOf }))])) {
    add(breakOf('missing_file', 'sequence_gap', { amount: 0, currency: 0, day }, asOf, { file }));
  }
  return [...breaks.values()];
}

/** Files that came before the day of the run and have not been posted, or refused: they do not leave a report by their age. */
export function waitingBreaks(waiting: readonly WaitingFile[], asOf: number): Break[] {
  return waiting.map(({ name, day }) =>
    breakOf('missing_file', 'unfinished', { amount: 0, currency: 0, day }, asOf, { file: name }),
  );
}

/** What 685 rows say of each file that they sum up, in the currency of the first of them. */
function toldByTotals(files: readonly FileFacts[]): Map<string, { amount: bigint; currency: number; day: number }> {
  const told = new Map<string, { amount: bigint; currency: number; day: number }>();
  for (const { totals, day } of files) {
    for (const { fileId, netAmount, currency } of totals) {
      if (fileId === '') continue;
      const one = told.get(fileId) ?? { amount: 0n, currency, day };
      told.set(fileId, one);
      if (one.currency === currency) one.amount += netAmount;
    }
  }
  return told;
}

function firstSum({ sums }: FileFacts): { amount: bigint; currency: number } {
  const [first] = sums;
  return first === undefined
    ? { amount: 0n, currency: 0 }
    : { amount: first.debits - first.credits, currency: first.currency };
}

/** PDS0105: type, date and processor; then two digits, the cycle, and the number within the cycle. */
const NAME = /^(\d{3}\d{6}\d{11}\d{2})(\d)(\d{2})$/;

/**
 * Files that must have been sent because others of the same type, date and processor were: numbers between the lowest and the
 * highest of a cycle, and cycles between the lowest and the highest, of which the first file is named. What is missing before the
 * lowest or behind the highest shows only in the network's totals.
 */
function gaps(files: readonly Pick<FileFacts, 'name' | 'day'>[]): { file: string; day: number }[] {
  const series = new Map<string, { day: number; cycles: Map<number, number[]> }>();
  for (const { name, day } of files) {
    const parts = NAME.exec(name);
    if (parts === null) continue;
    const [, head = '', cycle = '', number = ''] = parts;
    const one = series.get(head) ?? { day, cycles: new Map<number, number[]>() };
    series.set(head, one);
    one.day = Math.min(one.day, day);
    one.cycles.set(Number(cycle), [...(one.cycles.get(Number(cycle)) ?? []), Number(number)]);
  }
  const missing: { file: string; day: number }[] = [];
  for (const [head, { day, cycles }] of series) {
    for (let cycle = Math.min(...cycles.keys()); cycle <= Math.max(...cycles.keys()); cycle++) {
      const numbers = cycles.get(cycle);
      const [low, high] = numbers === undefined ? [1, 1] : [Math.min(...numbers), Math.max(...numbers)];
      for (let number = low; number <= high; number++) {
        if (numbers?.includes(number) === true) continue;
        missing.push({ file: `${head}${cycle}${String(number).padStart(2, '0')}`, day });
      }
    }
  }
  return missing;
}
